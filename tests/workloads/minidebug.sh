#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# minidebug.sh PROGRAM OUT: PROGRAM stripped, with its .debug_frame and symbols in .gnu_debugdata, as Fedora and
# Android ship theirs; and OUT_bomb, whose .gnu_debugdata inflates to more than anyone may ask for.
set -eu
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
objcopy --only-keep-debug "$1" "$tmp/debug"
objcopy -R .debug_info -R .debug_abbrev -R .debug_line -R .debug_str -R .debug_line_str -R .comment "$tmp/debug" "$tmp/mini"
strip -s "$1" -o "$tmp/bare"
xz "$tmp/mini"
head -c 64M /dev/zero | xz >"$tmp/bomb.xz"
objcopy --add-section .gnu_debugdata="$tmp/mini.xz" "$tmp/bare" "$2"
objcopy --add-section .gnu_debugdata="$tmp/bomb.xz" "$tmp/bare" "$2_bomb"
