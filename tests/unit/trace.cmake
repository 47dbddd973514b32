# SPDX-License-Identifier: Apache-2.0
unit_test(http1 SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_http1.c USES base bpf_headers)
unit_test(http1_kernel SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_http1_kernel.c USES base bpf_headers bpf::http1_run)
script_test(http1_cost unit 60 unit/http1_cost.py)
unit_test(routes SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_routes.c USES trace)
unit_test(red SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_red.c USES trace)
unit_test(request_head SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_request_head.c USES trace)
find_library(HTTP_PARSER http_parser REQUIRED)
unit_test(http1_oracle SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_http1_oracle.c ${CMAKE_CURRENT_LIST_DIR}/http1_causes.c USES base bpf_headers ${HTTP_PARSER})
