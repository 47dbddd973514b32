# SPDX-License-Identifier: Apache-2.0
script_test(go e2e 180 e2e/test_go.py)
set_tests_properties(e2e_go PROPERTIES RUN_SERIAL ON)
