# SPDX-License-Identifier: Apache-2.0
unit_test(doctor SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_doctor.c USES agent)
