#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# fresh [order... | package | image | chart]: a bare Debian 12 by debootstrap, this tree copied in, and
# `./dev quickstart` and `./dev test` run there, each order in a new copy. Orders: "quickstart test"
# (default, and then) "test quickstart". Then the Debian package is installed, upgraded and removed in
# one more; packaging/Dockerfile is followed line by line, and what it makes runs as in Kubernetes; and
# Helm's own package, which this host's Go compiles, renders packaging/helm. The chroot has its own
# /proc, /sys and BPF file system; its packages come from the sources this host uses.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
work=${HOTSPAN_FRESH_DIR:-/var/tmp/hotspan-fresh}
base=$work/base
started=$(date +%s)

step() { printf -- '-- [%4d s] %s\n' $(($(date +%s) - started)) "$*"; }

mirror() { # the first Debian archive of this host's apt sources
	{ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null | sed -n 's/^deb \(\[[^]]*\] \)\?\([^ ]*\) bookworm main.*/\2/p'
	  sed -n 's/^URIs: *\([^ ]*\).*/\1/p' /etc/apt/sources.list.d/*.sources 2>/dev/null; } | head -n 1
}

make_base() {
	[ -f "$base/.complete" ] && { step "using the bare Debian of $base"; return; }
	step "making a bare Debian 12 in $base"
	rm -rf "$base"
	mkdir -p "$base"
	debootstrap --variant=minbase bookworm "$base" "$(mirror)" >"$work/debootstrap.log" 2>&1 ||
		{ tail -n 20 "$work/debootstrap.log" >&2; exit 1; }
	rm -rf "$base"/etc/apt/sources.list "$base"/etc/apt/sources.list.d
	cp -a /etc/apt/sources.list /etc/apt/sources.list.d "$base/etc/apt/" 2>/dev/null || true
	cp -a /etc/apt/apt.conf.d/. "$base/etc/apt/apt.conf.d/" 2>/dev/null || true
	[ -d /etc/apt/keyrings ] && cp -a /etc/apt/keyrings "$base/etc/apt/"
	cp -a /etc/ssl/certs "$base/etc/ssl/" 2>/dev/null || true
	touch "$base/.complete"
}

enter() { # enter ROOT: own mounts; they go with the mount namespace
	unshare --mount --propagation private bash -c '
		set -e
		r=$1; shift
		mount --bind "$r" "$r" # a root that is a mount, as on a real host
		mount -t proc proc "$r/proc"
		mount -t sysfs sysfs "$r/sys"
		mount -t cgroup2 cgroup2 "$r/sys/fs/cgroup" 2>/dev/null || true
		mount -t bpf bpf "$r/sys/fs/bpf" 2>/dev/null || true
		mount --rbind /dev "$r/dev"
		mount -t tmpfs -o size=2g tmpfs "$r/tmp"
		cp /etc/resolv.conf "$r/etc/resolv.conf" 2>/dev/null || true
		echo 127.0.0.1 localhost >"$r/etc/hosts" # debootstrap leaves that to the installer
		exec chroot "$r" /usr/bin/env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
			${http_proxy:+http_proxy="$http_proxy"} ${https_proxy:+https_proxy="$https_proxy"} "$@"
	' enter "$@"
}

run_order() { # run_order NAME command...
	local tree=$work/$1 cmd; shift
	rm -rf "$tree"
	cp -a --reflink=auto "$base" "$tree"
	mkdir -p "$tree/root/hotspan"
	git -C "$root" archive HEAD | tar -x -C "$tree/root/hotspan"
	for cmd in "$@"; do
		step "in a bare Debian: ./dev $cmd"
		enter "$tree" bash -c "cd /root/hotspan && ./dev $cmd" || { step "./dev $cmd failed"; exit 1; }
		if [ "$cmd" = quickstart ]; then
			grep -q '<script id="data".*\[kernel.kallsyms\]' "$tree/root/hotspan/hotspan.html" ||
				{ step "quickstart left no flame graph"; exit 1; }
			cp "$tree/root/hotspan/hotspan.html" "$work/hotspan.html"
		fi
	done
	if [ "${keep_package:-}" ]; then
		step "in a bare Debian: ./dev package"
		enter "$tree" bash -c 'cd /root/hotspan && ./dev package && HOTSPAN_PACKAGE_VERSION=0.1.1 ./dev package'
		cp "$tree"/root/hotspan/build/*.deb "$work/"
	fi
	rm -rf "$tree"
}

run_package() { # the package made there, in a bare Debian that never saw a compiler
	local tree=$work/package
	step "in another bare Debian: install, use, upgrade, remove, purge the package"
	rm -rf "$tree"
	cp -a --reflink=auto "$base" "$tree"
	cp "$work"/*.deb "$root/tests/fresh/package.sh" "$tree/root/"
	enter "$tree" bash -c 'cd /root && ./package.sh ./hotspan_0.1.0_amd64.deb ./hotspan_0.1.1_amd64.deb' >"$work/package.log" 2>&1 ||
		{ tail -n 30 "$work/package.log" >&2; step "the package failed"; exit 1; }
	rm -rf "$tree"
}

# Follows packaging/Dockerfile in chroots: each FROM is a bare Debian, and of its instructions those that we use are known.
run_image() {
	local tree=$work/image.0 n=0 cwd=/ word rest from caps
	declare -A stage=()
	step "in bare Debians: packaging/Dockerfile, without Docker"
	while read -r word rest; do
		case $word in
		'' | '#'*) ;;
		FROM)
			n=$((n + 1)) tree=$work/image.$n cwd=/
			rm -rf "$tree"
			cp -a --reflink=auto "$base" "$tree"
			[[ $rest =~ \ AS\ (.*) ]] && stage[${BASH_REMATCH[1]}]=$tree ;;
		WORKDIR) cwd=$rest; mkdir -p "$tree$cwd" ;;
		COPY)
			if [ "$rest" = ". ." ]; then
				git -C "$root" archive HEAD | tar -x -C "$tree$cwd"
			elif [[ $rest =~ ^--from=([a-z]+)\ ([^ ]+)\ ([^ ]+)$ ]]; then
				from=${stage[${BASH_REMATCH[1]}]}
				cp "$from"${BASH_REMATCH[2]} "$tree${BASH_REMATCH[3]}"
			else
				step "COPY $rest: not understood"; exit 1
			fi ;;
		RUN) enter "$tree" sh -c "cd $cwd && $rest" >"$work/image.log" 2>&1 || { tail -n 30 "$work/image.log" >&2; exit 1; } ;;
		ENTRYPOINT | CMD) ;; # image.sh runs the same
		*) step "$word: not understood"; exit 1 ;;
		esac
	done <"$root/packaging/Dockerfile"
	step "the image is $(du -sm "$tree" | cut -f1) MB, Debian included; it runs as in Kubernetes"
	cp "$root/tests/fresh/image.sh" "$tree/"
	sed -n '/hotspan.yaml: |/,/^---/s/^    //p' "$root/packaging/kubernetes.yaml" >"$tree/image.yaml"
	caps=$(sed -n 's/^CapabilityBoundingSet=//p' "$root/packaging/hotspan.service" | sed 's/CAP_SYS_ADMIN//; s/CAP_//g' | tr A-Z a-z)
	enter "$tree" /image.sh "$caps"
	rm -rf "$work"/image.[0-9]
}

run_chart() {
	local r=0
	step "packaging/helm, as Helm's own package renders it"
	"$root/dev" build
	HOTSPAN_BUILD=$root/build/release PYTHONPATH=$root/tests python3 "$root/tests/fresh/chart.py" || r=$?
	[ $r -ne 77 ] || skipped="; skipped: $(grep '^fresh_chart:' "$root/tests/allowed-skips.txt")" || r=1
	[ $r -eq 0 ] || [ $r -eq 77 ] || { step "the chart failed"; exit 1; }
}

mkdir -p "$work"
skipped=
[ "${1:-}" = chart ] && { run_chart; step "the chart passed$skipped"; exit; }
make_base
rm -f "$work"/*.deb
if [ "${1:-}" = package ]; then
	keep_package=1 run_order asked build
	run_package
elif [ "${1:-}" = image ]; then
	run_image
elif [ $# -gt 0 ]; then
	run_order asked "$@"
else
	keep_package=1 run_order forward quickstart test
	run_order reverse test quickstart
	run_package
	run_image
	run_chart
fi
step "fresh passed at commit $(git -C "$root" rev-parse --short HEAD)$skipped"
