# SPDX-License-Identifier: Apache-2.0
script_test(addr2line e2e 120 e2e/test_addr2line.py)
