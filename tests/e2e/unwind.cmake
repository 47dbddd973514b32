# SPDX-License-Identifier: Apache-2.0
script_test(unwind e2e 240 e2e/test_unwind.py)
script_test(backtrace e2e 120 e2e/test_backtrace.py)

# Tables that lie, in the real programs.
add_executable(lying_tables ${CMAKE_SOURCE_DIR}/tests/bpf/lying_tables.c)
target_link_libraries(lying_tables PRIVATE collect unwind)
add_test(NAME e2e_lying_tables COMMAND lying_tables 2.5 1 2 3)
set_tests_properties(e2e_lying_tables PROPERTIES LABELS e2e SKIP_RETURN_CODE 77 TIMEOUT 120)

# Both programs, the one of this kernel and the one of older kernels, walk the same stacks.
add_executable(both_walks ${CMAKE_SOURCE_DIR}/tests/bpf/both_walks.c)
target_link_libraries(both_walks PRIVATE collect unwind)
add_test(NAME e2e_both_walks COMMAND both_walks 1 450 600 1500 8100 9000)
set_tests_properties(e2e_both_walks PROPERTIES LABELS e2e SKIP_RETURN_CODE 77 TIMEOUT 240)
