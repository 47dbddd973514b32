# SPDX-License-Identifier: Apache-2.0
unit_test(reader SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_reader.c ${CMAKE_CURRENT_LIST_DIR}/fixture_profile.c USES formats)
unit_test(merge SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_merge.c ${CMAKE_CURRENT_LIST_DIR}/fixture_profile.c USES formats)
unit_test(views SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_views.c USES cmd)
unit_test(lines SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_lines.c USES cmd)
