# SPDX-License-Identifier: Apache-2.0
script_test(join e2e 240 e2e/test_join.py)
set_tests_properties(e2e_join PROPERTIES RUN_SERIAL ON)
