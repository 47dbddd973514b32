#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Inside the image: the agent with the configuration of packaging/kubernetes.yaml (image.yaml here), with no more rights
# than its DaemonSet gives: six capabilities, no new privileges, a root that is read-only.
set -euo pipefail
rights=$1 # "bpf perfmon ...", as setpriv spells them
fail() { echo "image: $*" >&2; cat /tmp/log >&2; exit 1; }

cp /image.yaml /tmp/hotspan.yaml
for d in /var/lib/hotspan /var/cache/hotspan; do
	mkdir -p "$d"
	mount -t tmpfs -o mode=0755 tmpfs "$d"
done
mount -o remount,bind,ro /
touch /var/tmp/x 2>/dev/null && fail "the root can be written to"

only=-all; for c in $rights; do only+=,+$c; done
run() { exec setpriv --bounding-set "$only" --inh-caps -all --no-new-privs /usr/bin/hotspan "$@"; }
NODE_NAME=node-7 run agent -c /tmp/hotspan.yaml >/tmp/log 2>&1 &
agent=$!
page() { exec 3<>/dev/tcp/127.0.0.1/9464; printf 'GET %s HTTP/1.0\r\n\r\n' "$1" >&3; cat <&3; exec 3>&-; }
timeout 25 sh -c 'while :; do :; done' || true
page /healthz | grep -q '^HTTP/1.[01] 200' || fail "it is not healthy"
busy=$(page /metrics | sed -n 's/^hotspan_ticks_total{state="busy"} //p')
[ "${busy%.*}" -gt 500 ] || fail "$busy busy ticks"
# The receiver of the example is not there: what is sent waits in the spool.
[ "$(find /var/lib/hotspan -type f -size +1k | wc -l)" -ge 1 ] || fail "nothing is in the spool"
grep '^Cap\(Eff\|Bnd\)\|^NoNewPrivs' "/proc/$agent/status"
kill -TERM $agent
wait $agent || fail "it ended with $?"
(run record -a -d 3 -o /tmp/x.json --json -- sh -c 'i=0; while [ $i -lt 1000000 ]; do i=$((i+1)); done' > /tmp/record 2>&1) || fail "record ended with $?"
grep 'symbol_cache' /tmp/log && fail "there is no cache of symbols"
grep 'capabilities' /tmp/log
echo "image: $busy busy ticks"
