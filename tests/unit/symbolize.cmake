# SPDX-License-Identifier: Apache-2.0
unit_test(symbolize SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_symbolize.c USES symbolize)
unit_test(symtab SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_symtab.c USES symbolize)
add_executable(symbols_dump ${CMAKE_CURRENT_LIST_DIR}/symbols_dump.c)
target_link_libraries(symbols_dump PRIVATE symbolize)
script_test(symbolize_oracle unit 120 unit/symbolize_oracle.py)
unit_test(symcache SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_symcache.c USES symbolize)
add_executable(dwarf_dump ${CMAKE_CURRENT_LIST_DIR}/dwarf_dump.c)
target_link_libraries(dwarf_dump PRIVATE symbolize)
