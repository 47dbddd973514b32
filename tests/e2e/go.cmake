# SPDX-License-Identifier: Apache-2.0
script_test(go e2e 180 e2e/test_go.py)
