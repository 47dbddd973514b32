# SPDX-License-Identifier: Apache-2.0
unit_test(top SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_top.c ${CMAKE_CURRENT_LIST_DIR}/fixture_profile.c USES cmd)
unit_test(route_table SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_route_table.c USES cmd)
