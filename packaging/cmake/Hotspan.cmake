# SPDX-License-Identifier: Apache-2.0
#
# module(), bpf_program(), embed(): the three shapes a folder's CMakeLists.txt is made of.

option(HOTSPAN_BENCH "build the benchmarks" OFF)
set(HOTSPAN_SANITIZE "" CACHE STRING "sanitizers for -fsanitize=, e.g. address,undefined")

set(CMAKE_C_STANDARD 17)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(libbpf REQUIRED IMPORTED_TARGET libbpf)
pkg_check_modules(elf REQUIRED IMPORTED_TARGET libelf)
pkg_check_modules(dw REQUIRED IMPORTED_TARGET libdw)
pkg_check_modules(curl REQUIRED IMPORTED_TARGET libcurl)
pkg_check_modules(microhttpd REQUIRED IMPORTED_TARGET libmicrohttpd)
pkg_check_modules(yaml REQUIRED IMPORTED_TARGET yaml-0.1)
pkg_check_modules(pcre2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(yajl REQUIRED IMPORTED_TARGET yajl)
pkg_check_modules(nettle REQUIRED IMPORTED_TARGET nettle)
pkg_check_modules(ncursesw REQUIRED IMPORTED_TARGET ncursesw)
pkg_check_modules(zlib REQUIRED IMPORTED_TARGET zlib)
pkg_check_modules(lzma REQUIRED IMPORTED_TARGET liblzma)
pkg_check_modules(zstd REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(isal REQUIRED IMPORTED_TARGET libisal)
pkg_check_modules(protobuf-c REQUIRED IMPORTED_TARGET libprotobuf-c)

add_library(hotspan_flags INTERFACE)
target_compile_options(hotspan_flags INTERFACE -Wall -Wextra -Werror -Wshadow -Wstrict-prototypes
	-Wmissing-prototypes -Wno-unused-parameter -Wno-sign-compare -Wno-missing-field-initializers
	-fno-strict-aliasing -fno-omit-frame-pointer)
target_compile_definitions(hotspan_flags INTERFACE _GNU_SOURCE)
target_include_directories(hotspan_flags INTERFACE
	${CMAKE_SOURCE_DIR} ${CMAKE_SOURCE_DIR}/profiler ${CMAKE_BINARY_DIR}/gen)
if(HOTSPAN_SANITIZE)
	target_compile_options(hotspan_flags INTERFACE -fsanitize=${HOTSPAN_SANITIZE} -fno-sanitize-recover=all)
	target_link_options(hotspan_flags INTERFACE -fsanitize=${HOTSPAN_SANITIZE})
	if(CMAKE_C_COMPILER_ID MATCHES Clang)
		# A fuzzer sees only the branches of code that was compiled for it: the modules, not just its own file.
		target_compile_options(hotspan_flags INTERFACE -fsanitize=fuzzer-no-link)
	endif()
endif()

# module(NAME SOURCES ... HEADERS ... USES ... LIBS ...)
# A static library. USES takes modules already defined, so that arrows cannot turn round.
# HEADERS claims headers without a .c twin; x.c claims x.h by itself. tests/unit/test_includes.py
# compares every #include with USES.
function(module name)
	cmake_parse_arguments(M "" "" "SOURCES;HEADERS;USES;LIBS" ${ARGN})
	foreach(used ${M_USES})
		if(NOT TARGET ${used})
			message(FATAL_ERROR "module ${name} uses ${used}, which is not defined above it: arrows point one way (DESIGN)")
		endif()
	endforeach()
	if(M_SOURCES)
		add_library(${name} STATIC ${M_SOURCES})
		target_link_libraries(${name} PUBLIC hotspan_flags ${M_USES} ${M_LIBS})
	else()
		add_library(${name} INTERFACE)
		target_link_libraries(${name} INTERFACE hotspan_flags ${M_USES} ${M_LIBS})
	endif()
	file(RELATIVE_PATH dir ${CMAKE_SOURCE_DIR} ${CMAKE_CURRENT_SOURCE_DIR})
	string(JOIN " " sources ${M_SOURCES})
	string(JOIN " " headers ${M_HEADERS})
	string(JOIN " " uses ${M_USES})
	set_property(GLOBAL APPEND PROPERTY HOTSPAN_MODULES "${name}\t${dir}\t${sources}\t${headers}\t${uses}")
endfunction()

# For the include test: one row per module.
function(hotspan_write_modules)
	get_property(rows GLOBAL PROPERTY HOTSPAN_MODULES)
	string(JOIN "\n" text ${rows})
	file(WRITE ${CMAKE_BINARY_DIR}/modules.tsv "${text}\n")
endfunction()

# bpf_program(NAME SOURCE [headers...]): clang -> strip -> skeleton -> interface target bpf::NAME.
find_program(BPF_CLANG NAMES clang-16 clang-19 clang-18 clang-17 clang REQUIRED)
find_program(BPF_STRIP NAMES llvm-strip-16 llvm-strip-19 llvm-strip-18 llvm-strip-17 llvm-strip REQUIRED)
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /usr/local/sbin REQUIRED)
execute_process(COMMAND ${BPF_CLANG} -dumpversion OUTPUT_VARIABLE bpf_clang_version OUTPUT_STRIP_TRAILING_WHITESPACE)
if(bpf_clang_version VERSION_LESS 16)
	message(FATAL_ERROR "${BPF_CLANG} is version ${bpf_clang_version}; BPF programs need clang 16 or newer (apt-get install clang-16)")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
	set(BPF_ARCH arm64)
else()
	set(BPF_ARCH x86)
endif()

function(bpf_program name source)
	set(gen ${CMAKE_BINARY_DIR}/gen/bpf)
	file(MAKE_DIRECTORY ${gen})
	set(headers "")
	foreach(h ${ARGN})
		list(APPEND headers ${CMAKE_CURRENT_SOURCE_DIR}/${h})
	endforeach()
	add_custom_command(
		OUTPUT ${gen}/${name}.skel.h ${gen}/${name}.bpf.o
		DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source} ${headers}
		COMMAND ${BPF_CLANG} -target bpf -g -O2 -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter
			-Wno-sign-compare -Wno-missing-field-initializers -D__TARGET_ARCH_${BPF_ARCH}
			-I${CMAKE_SOURCE_DIR} -I/usr/include/${CMAKE_LIBRARY_ARCHITECTURE}
			-c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${gen}/${name}.bpf.o
		COMMAND ${BPF_STRIP} -g ${gen}/${name}.bpf.o
		COMMAND ${BPFTOOL} gen skeleton ${gen}/${name}.bpf.o name ${name}_bpf > ${gen}/${name}.skel.h
		VERBATIM)
	add_custom_target(bpf_${name}_skel DEPENDS ${gen}/${name}.skel.h)
	add_library(bpf_${name} INTERFACE)
	add_dependencies(bpf_${name} bpf_${name}_skel)
	target_include_directories(bpf_${name} SYSTEM INTERFACE ${CMAKE_BINARY_DIR}/gen)
	target_link_libraries(bpf_${name} INTERFACE PkgConfig::libbpf)
	add_library(bpf::${name} ALIAS bpf_${name})
endfunction()

# embed(TARGET SYMBOL FILE): FILE's bytes as `const unsigned char SYMBOL[]`, `const size_t SYMBOL_len`,
# linked into TARGET and declared by the header that uses it. The path in .incbin makes it a
# one-line assembler file; OBJECT_DEPENDS rebuilds it when FILE changes.
function(embed target symbol file)
	set(s ${CMAKE_BINARY_DIR}/gen/embed/${symbol}.S)
	file(CONFIGURE OUTPUT ${s} CONTENT
".section .rodata
.global ${symbol}
.global ${symbol}_len
.balign 16
${symbol}: .incbin \"${file}\"
1: .byte 0
.balign 8
${symbol}_len: .quad 1b - ${symbol}
.section .note.GNU-stack,\"\",%progbits
")
	set_source_files_properties(${s} PROPERTIES OBJECT_DEPENDS ${file})
	target_sources(${target} PRIVATE ${s})
endfunction()
