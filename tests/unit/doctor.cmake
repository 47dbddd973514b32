# SPDX-License-Identifier: Apache-2.0
foreach(name doctor doctor_host doctor_kernel doctor_rights)
	unit_test(${name} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_${name}.c USES agent)
endforeach()
