# SPDX-License-Identifier: Apache-2.0
script_test(doctor e2e 240 e2e/test_doctor.py)
