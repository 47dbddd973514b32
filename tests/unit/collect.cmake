# SPDX-License-Identifier: Apache-2.0
unit_test(walk SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_walk.c USES base bpf_headers)
unit_test(walk_rows SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_walk_rows.c USES base bpf_headers)
unit_test(walk_cache SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_walk_cache.c USES base bpf_headers)
unit_test(proc SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_proc.c USES proc)
unit_test(collect SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_collect.c USES collect)
unit_test(unrouted SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_unrouted.c USES collect)
unit_test(whose SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_whose.c USES collect)
