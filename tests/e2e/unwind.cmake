# SPDX-License-Identifier: Apache-2.0
script_test(unwind e2e 240 e2e/test_unwind.py)
