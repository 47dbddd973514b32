# SPDX-License-Identifier: Apache-2.0
# It records too: not beside tests that measure shares.
script_test(report e2e 240 e2e/test_report.py)
set_tests_properties(e2e_report PROPERTIES RUN_SERIAL ON)
