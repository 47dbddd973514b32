# SPDX-License-Identifier: Apache-2.0
unit_test(config SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_config.c USES agent)
