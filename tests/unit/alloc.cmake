# SPDX-License-Identifier: Apache-2.0
# Every allocation of ours made to fail once (fixture_alloc.h).
function(alloc_test name)
	unit_test(alloc_${name} SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_alloc_${name}.c ${ARGN})
	foreach(f malloc calloc realloc reallocarray strdup)
		target_link_options(test_alloc_${name} PRIVATE -Wl,--wrap=${f})
	endforeach()
endfunction()

alloc_test(symbolize USES symbolize)
add_dependencies(test_alloc_symbolize helper_child)
alloc_test(process USES collect unwind)
alloc_test(config USES agent)
alloc_test(formats ${CMAKE_CURRENT_LIST_DIR}/fixture_profile.c USES formats exporter trace cmd)
alloc_test(export USES agent)
