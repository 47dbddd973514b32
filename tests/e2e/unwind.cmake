# SPDX-License-Identifier: Apache-2.0
script_test(unwind e2e 240 e2e/test_unwind.py)
# Its loads are recorded: one at a time.
script_test(backtrace e2e 120 e2e/test_backtrace.py)
set_tests_properties(e2e_backtrace PROPERTIES RUN_SERIAL ON)

# Tables that lie, in the real program.
add_executable(lying_tables ${CMAKE_SOURCE_DIR}/tests/bpf/lying_tables.c)
target_link_libraries(lying_tables PRIVATE collect unwind)
add_test(NAME e2e_lying_tables COMMAND lying_tables 2.5 1 2 3 4)
set_tests_properties(e2e_lying_tables PROPERTIES LABELS e2e SKIP_RETURN_CODE 77 TIMEOUT 120 RUN_SERIAL ON)
