# SPDX-License-Identifier: Apache-2.0
unit_test(budget SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_budget.c USES agent)
unit_test(config SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_config.c USES agent)
unit_test(identity SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_identity.c USES proc)
unit_test(locate SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_locate.c USES agent)
target_link_options(test_locate PRIVATE -Wl,--wrap=sym_image_resolve,--wrap=sym_image_segment)
unit_test(placement SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_placement.c USES proc)
unit_test(pods SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_pods.c USES proc)
unit_test(relabel SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_relabel.c USES proc)
unit_test(push SOURCES ${CMAKE_CURRENT_LIST_DIR}/test_push.c ${CMAKE_CURRENT_LIST_DIR}/fixture_fake.c USES agent)
add_dependencies(test_push fake_pyroscope)

add_executable(relabel_apply ${CMAKE_CURRENT_LIST_DIR}/relabel_apply.c)
target_link_libraries(relabel_apply PRIVATE proc)
script_test(relabel_oracle unit 300 unit/relabel_oracle.py)

add_executable(kube_ask ${CMAKE_CURRENT_LIST_DIR}/kube_ask.c)
target_link_libraries(kube_ask PRIVATE agent)
script_test(kube unit 120 unit/test_kube.py)
