#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# package OLD.deb NEW.deb: in a bare Debian, install, use, upgrade, remove and purge the package. Every
# line that fails ends the script.
set -euxo pipefail
old=$1 new=$2
conf=/etc/hotspan/hotspan.yaml

DEBIAN_FRONTEND=noninteractive apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$old"
hotspan --version
hotspan doctor
hotspan agent --check | grep -q "$conf: ok, 0 receivers"
[ "$(stat -c %a $conf)" = 640 ]
zcat /usr/share/man/man1/hotspan.1.gz | grep -q '^.TH HOTSPAN'
bash -c '. /usr/share/bash-completion/completions/hotspan; complete -p hotspan'
[ -f /lib/systemd/system/hotspan.service ]
hotspan record -d 1 -o /tmp/first.html 2>/tmp/verdict
grep -q '^samples' /tmp/verdict
# The agent as the unit starts it, without systemd: it samples, answers, and ends when told.
hotspan agent 2>/tmp/log &
for _ in $(seq 50); do grep -q 'metrics on' /tmp/log && break; sleep 0.1; done
(exec 3<>/dev/tcp/127.0.0.1/9464 && printf 'GET /readyz HTTP/1.0\r\n\r\n' >&3 && grep -q ready <&3)
kill -TERM $!
wait $!

echo 'labels: {kept: "yes"}' >>$conf
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$new"
[ "$(dpkg-query -W -f '${Version}' hotspan)" = 0.1.1 ]
grep -q kept $conf
hotspan agent --check

apt-get remove -y -qq hotspan
[ ! -e /usr/bin/hotspan ]
grep -q kept $conf # the administrator's, until purge
mkdir -p /var/lib/hotspan
apt-get purge -y -qq hotspan
[ ! -e $conf ] && [ ! -e /var/lib/hotspan ]
