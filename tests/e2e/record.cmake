# SPDX-License-Identifier: Apache-2.0
# They load all CPUs, measure times, or have perf beside them, which cannot read what it records beside another reader of build ids:
# one at a time.
foreach(t http_times:120 shortlived:240 real:400 stacks:400 stacks_go:240 stacks_rust:240 agent:240 collector:600 targets:120 red:180)
	string(REPLACE ":" ";" t ${t})
	list(GET t 0 name)
	list(GET t 1 seconds)
	script_test(${name} e2e ${seconds} e2e/test_${name}.py)
	set_tests_properties(e2e_${name} PROPERTIES RUN_SERIAL ON)
endforeach()
foreach(t errors formats workloads http_servers top)
	script_test(${t} e2e 240 e2e/test_${t}.py)
endforeach()
# They wait for servers most of the time: beside each other, and beside what needs the CPUs.
foreach(t otlp:400 prometheus:240 spool:600 agent_faults:300 agent_whose:300 agent_life:300 files:300 receive:400 trace:300 spans:200 metrics:200
	series:200)
	string(REPLACE ":" ";" t ${t})
	list(GET t 0 name)
	list(GET t 1 seconds)
	script_test(${name} e2e ${seconds} e2e/test_${name}.py)
	set_tests_properties(e2e_${name} PROPERTIES LABELS "e2e;waits")
endforeach()
# The other hooks, which Debian 12's kernel needs. trace.hooks is an option of the agent, and test_trace.py hands it on.
script_test(trace_syscalls e2e 300 e2e/test_trace.py)
script_test(red_syscalls e2e 60 e2e/test_red.py test_counts_by_route_equal_the_log)
foreach(t trace_syscalls red_syscalls)
	set_property(TEST e2e_${t} APPEND PROPERTY ENVIRONMENT HOTSPAN_TRACE_HOOKS=syscalls)
	set_tests_properties(e2e_${t} PROPERTIES LABELS "e2e;waits")
endforeach()
