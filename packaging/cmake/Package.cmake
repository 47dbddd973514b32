# SPDX-License-Identifier: Apache-2.0
#
# Installation and the Debian package: binary, man page and completion made from the binary's own
# tables, the unit, and the configuration as a conffile. `./dev package` makes it.
include(GNUInstallDirs)
set(generated ${CMAKE_BINARY_DIR}/gen/install)
file(MAKE_DIRECTORY ${generated})
add_custom_command(
	OUTPUT ${generated}/hotspan.1.gz ${generated}/hotspan.bash ${generated}/_hotspan ${generated}/hotspan.fish
	DEPENDS hotspan
	COMMAND hotspan manual > ${generated}/hotspan.1
	COMMAND gzip -9nf ${generated}/hotspan.1
	COMMAND hotspan completion bash > ${generated}/hotspan.bash
	COMMAND hotspan completion zsh > ${generated}/_hotspan
	COMMAND hotspan completion fish > ${generated}/hotspan.fish
	VERBATIM)
add_custom_target(install_files ALL DEPENDS ${generated}/hotspan.1.gz)

install(TARGETS hotspan RUNTIME DESTINATION bin)
install(FILES ${generated}/hotspan.1.gz DESTINATION share/man/man1)
install(FILES ${generated}/hotspan.bash DESTINATION share/bash-completion/completions RENAME hotspan)
install(FILES ${generated}/_hotspan DESTINATION share/zsh/vendor-completions)
install(FILES ${generated}/hotspan.fish DESTINATION share/fish/vendor_completions.d)
install(FILES packaging/CONFIGURATION.md packaging/hotspan.schema.json DESTINATION share/doc/hotspan)
install(FILES LICENSE DESTINATION share/doc/hotspan RENAME copyright)
install(FILES packaging/hotspan.service DESTINATION /lib/systemd/system)
install(FILES packaging/hotspan.yaml DESTINATION /etc/hotspan PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME hotspan)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "hotspan maintainers <hotspan@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "continuous CPU profiler for Linux hosts")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
	${CMAKE_SOURCE_DIR}/packaging/debian/postinst ${CMAKE_SOURCE_DIR}/packaging/debian/prerm
	${CMAKE_SOURCE_DIR}/packaging/debian/postrm ${CMAKE_SOURCE_DIR}/packaging/debian/conffiles)
include(CPack)
