# SPDX-License-Identifier: Apache-2.0
unit_test(pprof SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_pprof.c ${CMAKE_CURRENT_LIST_DIR}/fixture_profile.c USES formats)
add_executable(pprof_dump ${CMAKE_CURRENT_LIST_DIR}/pprof_dump.c ${CMAKE_CURRENT_LIST_DIR}/fixture_profile.c)
target_link_libraries(pprof_dump PRIVATE formats)
target_include_directories(pprof_dump PRIVATE ${CMAKE_SOURCE_DIR}/tests)
script_test(pprof_go unit 180 unit/pprof_oracle.py go)
script_test(pprof_outside unit 120 unit/pprof_oracle.py outside)
