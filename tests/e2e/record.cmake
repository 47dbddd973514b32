# SPDX-License-Identifier: Apache-2.0
# They load the CPUs and measure shares: one at a time.
foreach(t workloads:240 shortlived:240 errors:240 real:400 formats:240 stacks:400 stacks_go:240 stacks_rust:240 agent:400 otlp:300 collector:600 prometheus:120 spool:300 top:240 targets:120 files:180 receive:240 trace:180 red:180)
	string(REPLACE ":" ";" t ${t})
	list(GET t 0 name)
	list(GET t 1 seconds)
	script_test(${name} e2e ${seconds} e2e/test_${name}.py)
	set_tests_properties(e2e_${name} PROPERTIES RUN_SERIAL ON)
endforeach()
