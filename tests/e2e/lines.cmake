# SPDX-License-Identifier: Apache-2.0
script_test(lines e2e 180 e2e/test_lines.py)
