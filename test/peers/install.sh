#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Real receivers for the peer tests, in ~/.cache/appscope-test-peers: a Kafka broker, an OpenTelemetry collector,
# Prometheus, the npm StatsD server and Go's statsd_exporter; TLS libraries, programs of other Go versions, roots
# of Debian releases. Does what is missing; each step is bounded. Names what could not be had and goes on: the tests of
# that peer are then skipped, and say so.
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
	if timeout -k 10 "$limit" bash -c "$(declare -f "$function" root go_build); cache='$cache'; here='$here'; set -e; $function" >"$cache/$name.log" 2>&1 &&
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

# Python's gRPC, whose core is C++.
grpc() {
	rm -rf "$cache/grpc"
	python3 -m venv "$cache/grpc"
	"$cache/grpc/bin/pip" install -q --disable-pip-version-check grpcio==1.85.3 || { rm -rf "$cache/grpc"; false; }
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

# Programs of other Go versions, for the matrix: the toolchains are Debian's, the newest is the one the go command fetches
# for itself. Only what they make is kept: matrix/work.go in each kind, and an HTTPS client and server.
go_build() {
	local version=$1 go=$2 to=$cache/go.part/$1 source=$here/matrix/work.go
	export GOFLAGS=-mod=mod GOCACHE=$cache/go.part/cache GOTOOLCHAIN=${3:-local}
	mkdir -p "$to"
	CGO_ENABLED=0 "$go" build -o "$to/work-static" "$source"
	CGO_ENABLED=0 "$go" build -ldflags='-s -w' -o "$to/work-stripped" "$source"
	CGO_ENABLED=0 "$go" build -buildmode=pie -o "$to/work-pie" "$source"
	CGO_ENABLED=1 "$go" build -o "$to/work-cgo" "$source"
	CGO_ENABLED=1 "$go" build -ldflags='-linkmode=external -extldflags=-static' -o "$to/work-cgo-static" "$source"
	CGO_ENABLED=0 "$go" build -o "$to/tls" "$here/../native/patch/tls.go"
}
matrix() {
	rm -rf "$cache/go.part"
	mkdir -p "$cache/go.part/lists/partial" "$cache/go.part/archives/partial"
	cd "$cache/go.part"
	local apt mirror version suite
	mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Codename: bookworm' 'Component: main' | head -1)
	for suite in bookworm bookworm-backports trixie; do
		echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main"
	done >sources
	apt="-qq -o Dir::Etc::SourceList=$PWD/sources -o Dir::Etc::SourceParts=/dev/null -o Dir::State::Lists=$PWD/lists
		-o Dir::Cache=$PWD -o Dir::State::status=/dev/null -o Acquire::Languages=none -o APT::Sandbox::User=root"
	# shellcheck disable=SC2086
	apt-get $apt update
	for version in 1.19 1.22 1.24; do
		# shellcheck disable=SC2086
		apt-get $apt download golang-$version-go golang-$version-src
		for package in golang-$version-*.deb; do dpkg -x "$package" "toolchain-$version"; done
		go_build "$version" "$PWD/toolchain-$version/usr/lib/go-$version/bin/go"
		rm -rf "toolchain-$version" ./*.deb
	done
	go_build 1.27 go go1.27.3
	go_build "$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go\([0-9]*\.[0-9]*\).*/\1/')" go
	chmod -R u+w "$cache/go.part"
	rm -rf "$cache/go.part/cache" lists archives sources "$cache/go-programs" ./*.bin
	mv "$cache/go.part" "$cache/go-programs"
}

# Real Go programs of versions that Debian has no toolchain of: 1.18 (also with cgo), 1.20, 1.21, 1.23, 1.25; and 1.16, which
# is not understood.
esbuild() {
	mkdir -p "$cache/esbuild"
	cd "$cache/esbuild"
	npm install --no-save --no-audit --no-fund --ignore-scripts --force --prefix . \
		go116@npm:esbuild-linux-64@0.8.57 go118@npm:esbuild-linux-64@0.14.38 go120@npm:@esbuild/linux-x64@0.17.19 \
		go123@npm:@esbuild/linux-x64@0.25.0 go125@npm:@esbuild/linux-x64@0.27.0 \
		turbo118@npm:turbo-linux-64@1.5.6 buf121@npm:@bufbuild/buf-linux-x64@1.28.1
}
chroma() {
	rm -rf "$cache/chroma.part"
	mkdir "$cache/chroma.part"
	cd "$cache/chroma.part"
	apt-get download -qq golang-chroma || { apt-get update -qq && apt-get download -qq golang-chroma; }
	dpkg -x golang-chroma_*.deb .
	rm -rf "$cache/chroma"
	mv "$cache/chroma.part" "$cache/chroma"
}

peer kafka kafka 240 kafka
peer prometheus prometheus/usr/bin/promtool 120 prometheus
peer statsd statsd/node_modules/statsd/stats.js 120 statsd
peer statsd_exporter statsd_exporter 240 statsd_exporter
peer otelcol otelcol 600 otelcol
peer openssl102 openssl102 120 openssl102
peer boringssl boringssl 120 boringssl
peer nscd nscd/usr/sbin/nscd 120 nscd
peer grpc grpc/bin/python 180 grpc
for release in bullseye trixie sid; do peer "$release" "chroot-$release" 250 "$release"; done
peer esbuild esbuild/node_modules/buf121/bin/buf 120 esbuild
peer chroma chroma/usr/bin/chromad 120 chroma
# The longest, about two minutes of two cores, comes last.
peer matrix go-programs/1.27/tls 500 matrix
exit $status
