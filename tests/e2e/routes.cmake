# SPDX-License-Identifier: Apache-2.0
script_test(routes e2e 120 e2e/test_routes.py)
set_tests_properties(e2e_routes PROPERTIES RUN_SERIAL ON)
