#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real receivers for the peer tests, in ~/.cache/appscope-test-peers: a Kafka broker, an OpenTelemetry collector,
# Prometheus, the npm StatsD server and Go's statsd_exporter; TLS libraries, root folders of other Debian releases. Does what is missing; each step is bounded. Names what
# could not be had and goes on: the tests of that peer are then skipped, and say so.
set -u
here=$(cd "$(dirname "$0")" && pwd)
cache=${APPSCOPE_TEST_PEERS:-$HOME/.cache/appscope-test-peers}
mkdir -p "$cache"
exec </dev/null
status=0

# peer NAME FILE SECONDS FUNCTION: runs FUNCTION unless FILE is there and was made from the same sources.
peer() {
	local name=$1 file=$2 limit=$3 function=$4 made
	made=$({ declare -f "$function" && cat "$here/$name"/* 2>/dev/null; } | cksum | cut -d' ' -f1)
	[ -e "$cache/$file" ] && [ "$(cat "$cache/$name.made" 2>/dev/null)" = "$made" ] && { echo "$name: present"; return; }
	if timeout -k 10 "$limit" bash -c "$(declare -f "$function" root); cache='$cache'; here='$here'; set -e; $function" >"$cache/$name.log" 2>&1 &&
		[ -e "$cache/$file" ]; then
		echo "$made" >"$cache/$name.made"
		echo "$name: installed"
	else
		echo "$name: not to be had, see $cache/$name.log:"
		tail -3 "$cache/$name.log"
		status=1
	fi
}

kafka() {
	command -v mvn >/dev/null || apt-get install -y -qq --no-install-recommends maven openjdk-17-jre-headless
	mvn -q -B -f "$here/kafka/pom.xml" dependency:copy-dependencies -DoutputDirectory="$cache/kafka.part" -DincludeScope=runtime
	rm -rf "$cache/kafka"
	mv "$cache/kafka.part" "$cache/kafka"
}

otelcol() {
	rm -rf "$cache/otelcol-src"
	cp -r "$here/otelcol" "$cache/otelcol-src"
	cd "$cache/otelcol-src"
	export GOFLAGS=-mod=mod GOTOOLCHAIN=local CGO_ENABLED=0
	go build -trimpath -ldflags='-s -w' -o "$cache/otelcol.part" .
	mv "$cache/otelcol.part" "$cache/otelcol"
}

prometheus() {
	rm -rf "$cache/prometheus.part"
	mkdir "$cache/prometheus.part"
	cd "$cache/prometheus.part"
	# Unpacked, not installed: the package would start a server of its own.
	apt-get download -qq prometheus || { apt-get update -qq && apt-get download -qq prometheus; }
	dpkg -x prometheus_*.deb .
	rm -rf "$cache/prometheus"
	mv "$cache/prometheus.part" "$cache/prometheus"
}

statsd() {
	mkdir -p "$cache/statsd"
	cd "$cache/statsd"
	npm install --no-save --no-optional --no-audit --no-fund --ignore-scripts --prefix . statsd@0.9.0
}

statsd_exporter() {
	GOBIN="$cache" GOTOOLCHAIN=local CGO_ENABLED=0 go install github.com/prometheus/statsd_exporter@v0.28.0
}

# Other TLS libraries. OpenSSL 1.0.2 as an old Python wheel carries it, with what it needs.
openssl102() {
	rm -rf "$cache/openssl102.part"
	mkdir "$cache/openssl102.part"
	cd "$cache/openssl102.part"
	python3 -m pip download -q --no-deps --only-binary :all: --python-version 37 --abi cp37m --platform manylinux1_x86_64 psycopg2-binary==2.7.7
	python3 -m zipfile -e psycopg2_binary-*.whl .
	rm -rf "$cache/openssl102"
	mv psycopg2/.libs "$cache/openssl102"
	rm -rf "$cache/openssl102.part"
}

boringssl() {
	rm -rf "$cache/boringssl.part"
	mkdir "$cache/boringssl.part"
	cd "$cache/boringssl.part"
	apt-get download -qq android-libboringssl || { apt-get update -qq && apt-get download -qq android-libboringssl; }
	dpkg -x android-libboringssl_*.deb .
	rm -rf "$cache/boringssl"
	mv usr/lib/x86_64-linux-gnu/android "$cache/boringssl"
	rm -rf "$cache/boringssl.part"
}

# A cache of lookups. Unpacked, not installed: it would answer everybody here.
nscd() {
	rm -rf "$cache/nscd.part"
	mkdir "$cache/nscd.part"
	cd "$cache/nscd.part"
	apt-get download -qq nscd || { apt-get update -qq && apt-get download -qq nscd; }
	dpkg -x nscd_*.deb .
	rm -rf "$cache/nscd"
	mv "$cache/nscd.part" "$cache/nscd"
}

# Root folders of other Debian releases: their glibc, shell, perl and python; of bullseye OpenSSL 1.1.1 and its users, too.
root() {
	debootstrap --variant=minbase --include="perl-base,procps,${2:-python3-minimal}" "$1" "$cache/chroot-$1.part"
	rm -rf "$cache/chroot-$1.part/var/cache/apt" "$cache/chroot-$1"
	mv "$cache/chroot-$1.part" "$cache/chroot-$1"
}
bullseye() { rm -rf "$cache/chroot-bullseye.part"; root bullseye python3,openssl,curl,ca-certificates; }
trixie() { rm -rf "$cache/chroot-trixie.part"; root trixie; }
sid() { rm -rf "$cache/chroot-sid.part"; root sid; }

peer kafka kafka 240 kafka
peer prometheus prometheus/usr/bin/promtool 120 prometheus
peer statsd statsd/node_modules/statsd/stats.js 120 statsd
peer statsd_exporter statsd_exporter 240 statsd_exporter
peer otelcol otelcol 600 otelcol
peer openssl102 openssl102 120 openssl102
peer boringssl boringssl 120 boringssl
peer nscd nscd/usr/sbin/nscd 120 nscd
for release in bullseye trixie sid; do peer "$release" "chroot-$release" 250 "$release"; done
exit $status
