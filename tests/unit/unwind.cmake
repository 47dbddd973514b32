# SPDX-License-Identifier: Apache-2.0
unit_test(code_rows SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_code_rows.c USES unwind)
unit_test(cfi SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_cfi.c USES unwind)
unit_test(rows SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_rows.c USES unwind)
unit_test(arm64 SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_arm64.c USES unwind)
unit_test(elf_cfi SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_elf_cfi.c USES unwind)
unit_test(go SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_go.c USES unwind)
unit_test(marks SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_marks.c USES unwind)
unit_test(slabs SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_slabs.c USES unwind)
unit_test(tables SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_tables.c USES unwind)

# Our rows against libdw's: what runs here is a slice, `./dev soak cfi` takes every file of the machine.
add_executable(test_cfi_oracle ${CMAKE_CURRENT_LIST_DIR}/test_cfi_oracle.c ${CMAKE_CURRENT_LIST_DIR}/cfi_causes.c
	${CMAKE_CURRENT_LIST_DIR}/cfi_eval.c)
target_link_libraries(test_cfi_oracle PRIVATE unwind PkgConfig::dw)
add_test(NAME unit_cfi_oracle COMMAND test_cfi_oracle -s 60 /lib/x86_64-linux-gnu/libc.so.6 /lib64/ld-linux-x86-64.so.2
	/usr/lib/x86_64-linux-gnu/libstdc++.so.6 /usr/lib/x86_64-linux-gnu/libcrypto.so.3 /usr/bin/python3 /usr/bin/node
	/usr/sbin/nginx /usr/bin/openssl /usr/bin/git /usr/bin/perl /bin/busybox /usr/lib/x86_64-linux-musl /usr/lib/musl
	/usr/bin/wrk /bin/bash /usr/aarch64-linux-gnu/lib ${CMAKE_BINARY_DIR}/hotspan)
set_tests_properties(unit_cfi_oracle PROPERTIES LABELS unit TIMEOUT 300)

# Go binaries made at test time: their pclntab against their .debug_frame, in every way Go links.
add_executable(go_oracle ${CMAKE_CURRENT_LIST_DIR}/go_oracle.c)
target_link_libraries(go_oracle PRIVATE unwind)
script_test(unwind_go unit 300 unit/unwind_go.py)
add_executable(go_live ${CMAKE_CURRENT_LIST_DIR}/go_live.c)
target_link_libraries(go_live PRIVATE unwind)

# The walk at every instruction: single-stepped programs against a shadow stack.
add_executable(step_oracle ${CMAKE_CURRENT_LIST_DIR}/step_oracle.c ${CMAKE_CURRENT_LIST_DIR}/step_causes.c ${CMAKE_CURRENT_LIST_DIR}/step_shadow.c
	${CMAKE_CURRENT_LIST_DIR}/step_target.c)
target_link_libraries(step_oracle PRIVATE unwind)
set(cases "recursion 5" "recursion 50" "recursion 450" plt alloca realignment noreturn longjmp children threads signals
	"signals 1" coroutines assembly libraries)
foreach(o O0 O2)
	add_test(NAME unit_steps_${o} COMMAND step_oracle ${CMAKE_BINARY_DIR}/workloads/w_steps_${o} ${cases})
	add_test(NAME unit_steps_cxx_${o} COMMAND step_oracle ${CMAKE_BINARY_DIR}/workloads/w_steps_cxx_${o} exceptions)
	set_tests_properties(unit_steps_${o} unit_steps_cxx_${o} PROPERTIES LABELS unit TIMEOUT 120)
endforeach()

foreach(v lld lld_ibt)
	add_test(NAME unit_steps_${v} COMMAND step_oracle ${CMAKE_BINARY_DIR}/workloads/w_steps_${v} plt signals "signals 1" libraries)
	set_tests_properties(unit_steps_${v} PROPERTIES LABELS unit TIMEOUT 120)
endforeach()

# Rows from instructions against those from CFI, of functions that have both; instructions' lengths against objdump's.
add_executable(code_oracle ${CMAKE_CURRENT_LIST_DIR}/code_oracle.c)
target_link_libraries(code_oracle PRIVATE unwind)
add_test(NAME unit_code_oracle_rows COMMAND code_oracle rows /lib/x86_64-linux-gnu/libc.so.6 /usr/lib/x86_64-linux-gnu/libstdc++.so.6
	/usr/lib/x86_64-linux-gnu/libcrypto.so.3 /usr/lib/x86_64-linux-gnu/libsqlite3.so.0 /usr/bin/python3 /usr/bin/node ${CMAKE_BINARY_DIR}/hotspan)
add_test(NAME unit_code_oracle_lengths COMMAND code_oracle lengths /lib/x86_64-linux-gnu/libc.so.6 /usr/lib/x86_64-linux-gnu/libcrypto.so.3
	/usr/lib/x86_64-linux-gnu/libgnutls.so.30)
set_tests_properties(unit_code_oracle_rows unit_code_oracle_lengths PROPERTIES LABELS unit TIMEOUT 120)
