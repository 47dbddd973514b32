# SPDX-License-Identifier: Apache-2.0
unit_test(alloc SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_alloc.c ${CMAKE_CURRENT_LIST_DIR}/fixture_profile.c
	USES formats collect symbolize unwind agent cmd)
foreach(f malloc calloc realloc reallocarray strdup)
	target_link_options(test_alloc PRIVATE -Wl,--wrap=${f})
endforeach()
add_dependencies(test_alloc helper_child)
