# SPDX-License-Identifier: Apache-2.0
unit_test(http1 SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_http1.c USES base bpf_headers)
