# SPDX-License-Identifier: Apache-2.0
add_executable(flamegraph_fixture ${CMAKE_CURRENT_LIST_DIR}/flamegraph_fixture.c
	${CMAKE_SOURCE_DIR}/tests/unit/fixture_profile.c)
target_link_libraries(flamegraph_fixture PRIVATE formats)
target_include_directories(flamegraph_fixture PRIVATE ${CMAKE_SOURCE_DIR}/tests)
script_test(flamegraph_page e2e 180 e2e/test_flamegraph_page.py)
