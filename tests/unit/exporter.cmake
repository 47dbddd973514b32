# SPDX-License-Identifier: Apache-2.0
unit_test(exporter SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_exporter.c USES exporter)
unit_test(files SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_files.c USES exporter)
unit_test(net SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_net.c ${CMAKE_CURRENT_LIST_DIR}/fixture_fake.c USES exporter)
add_dependencies(test_net fake_pyroscope)
unit_test(otlp_format SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_otlp_format.c USES exporter PkgConfig::zstd)
unit_test(spool SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_spool.c USES exporter)
unit_test(signals SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_signals.c USES exporter)
