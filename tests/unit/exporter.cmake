# SPDX-License-Identifier: Apache-2.0
unit_test(exporter SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_exporter.c USES exporter)
