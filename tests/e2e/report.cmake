# SPDX-License-Identifier: Apache-2.0
script_test(report e2e 240 e2e/test_report.py)
# perf cannot read what it records beside another reader of build ids.
set_tests_properties(e2e_report PROPERTIES RUN_SERIAL ON)
