# SPDX-License-Identifier: Apache-2.0
unit_test(cfi SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cfi.c USES unwind)
unit_test(rows SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_rows.c USES unwind)
