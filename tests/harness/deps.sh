#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# deps.sh            install every Debian package that building and testing needs and that is missing
# deps.sh --check    say in one line which packages the build lacks; exit 1 if any
set -u

build="gcc libc6-dev make clang libbpf-dev libxdp-dev libmnl-dev libjansson-dev linux-libc-dev"
test="libcunit1-dev libclang-rt-dev bpftool iproute2 ethtool iputils-ping netbase procps python3 tshark util-linux"
check="clang-format cppcheck shellcheck gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user-static"
nginx="dpkg-dev patch zlib1g-dev libpcre2-dev wrk"

missing() {
	dpkg-query -W -f '${Package} ${db:Status-Status}\n' "$@" 2> /dev/null |
		awk -v want="$*" '$2 == "installed" { have[$1] = 1 }
			END { n = split(want, w, " "); for (i = 1; i <= n; i++) if (!(w[i] in have)) printf "%s ", w[i] }'
}

command -v dpkg-query > /dev/null || exit 0 # not Debian: the compiler will tell

if [ "${1:-}" = --check ]; then
	# shellcheck disable=SC2086 # lists of words
	m=$(missing $build)
	[ -z "$m" ] && exit 0
	echo "missing packages: ${m% }: run \`make deps\` as root" >&2
	exit 1
fi

# shellcheck disable=SC2086
m=$(missing $build $test $check $nginx)
[ -z "$m" ] && exit 0
if [ "$(id -u)" != 0 ]; then
	echo "missing packages: ${m% }: run \`make deps\` as root, or \`apt-get install ${m% }\`" >&2
	exit 1
fi

log=$(mktemp /tmp/toe-deps.XXXXXX)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2206
todo=($m)
install() {
	apt-get install -y -q --no-install-recommends "${todo[@]}" > "$log" 2>&1
}

echo "deps: installing ${#todo[@]} packages: ${m% }"
# Package lists may be absent (containers) or too old to name files that still exist.
install || { echo "deps: fetching package lists"; apt-get update -q > "$log" 2>&1; install; } ||
	{ tail -n 5 "$log" >&2; echo "deps: apt-get install failed: ${m% }" >&2; exit 1; }
echo "deps: done"
