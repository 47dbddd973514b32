# SPDX-License-Identifier: Apache-2.0
script_test(report e2e 240 e2e/test_report.py)
