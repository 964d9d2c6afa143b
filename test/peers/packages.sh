#!/usr/bin/env bash
# Debian packages that the tests use when they are there: musl, real servers and clients. Installs what is missing, once.
set -u
want="musl-tools nginx-light curl wrk wget apache2-bin haproxy nghttp2-client libnss3-tools busybox-static debootstrap socat git procps strace gdb openssl iproute2 lsof tshark dnsmasq-base ripgrep fd-find valgrind"
missing=
for p in $want; do
	dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
timeout 200 apt-get update -qq
# shellcheck disable=SC2086
timeout 500 apt-get install -y -qq --no-install-recommends $missing
