#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# packetdrill.sh PACKETDRILL_DIR [-6] [SCRIPT...]: Google's packetdrill drives the firmware.
#
# PACKETDRILL_DIR is a checkout in which gtests/net/packetdrill/packetdrill has been built. Without SCRIPTs (paths below
# gtests/net) all of its TCP scripts run. A line for each: ok or FAIL, and packetdrill's reason.
#
# What the object cannot serve is taken out of a copy of the scripts: Python blocks, which ask the kernel for TCP_INFO,
# and the commands that set up the kernel's tun device. Root (a network namespace each).
set -u
here=$(cd "$(dirname "$0")" && pwd)
if ! [ -x "${1:-}/gtests/net/packetdrill/packetdrill" ]; then
	sed -n '4,11s/^# \{0,1\}//p' "$0" >&2
	exit 2
fi
root=$(readlink -f "$1")
so=${TOE_BUILD:-$here/../../build}/packetdrill_toe.so
shift
[ -f "$so" ] || { echo "$so is missing: make $(basename "$(dirname "$so")")/$(basename "$so")" >&2; exit 2; }
so=$(readlink -f "$so")

family=4
[ "${1:-}" = -6 ] && { family=6; shift; }
if [ $family = 4 ]; then
	address=(--ip_version=ipv4 --local_ip=192.168.0.1 --gateway_ip=192.168.0.1 --netmask_ip=255.255.0.0
		--remote_ip=192.0.2.1 -D TFO_COOKIE=3021b9d889017eeb -D CODE=host_unreachable
		-D CMSG_LEVEL_IP=SOL_IP
		-D CMSG_TYPE_RECVERR=IP_RECVERR)
	flags=local=192.168.0.1,mtu=1500
else
	address=(--ip_version=ipv6 --mtu=1520 --local_ip=fd3d:0a0b:17d6::1 --gateway_ip=fd3d:0a0b:17d6:8888::1
		--remote_ip=fd3d:fa7b:d17d::1 -D TFO_COOKIE=c1d1e9742a47a9bc
		-D CMSG_LEVEL_IP=SOL_IPV6 -D CMSG_TYPE_RECVERR=IPV6_RECVERR)
	flags=local=fd3d:0a0b:17d6::1,mtu=1520
fi

tmp=$(mktemp -d /tmp/toe-packetdrill.XXXXXX)
trap 'rm -rf "$tmp"' EXIT
cp -r "$root/gtests/net/tcp" "$root/gtests/net/common" "$tmp/"
for f in "$tmp"/common/defaults.sh "$tmp"/tcp/common/defaults.sh; do printf '#!/bin/sh\n' > "$f"; done
printf '#!/bin/sh\n' > "$tmp/tcp/common/set_sysctls.py"
find "$tmp" -name '*.pkt' -print0 | xargs -0 perl -0777 -pi -e \
	's/^[ \t]*[-+*0-9.~]*[ \t]*%\{.*?\}%/"\n" x ($& =~ tr{\n}{})/smge; s/^\x60.*sysctl_restore.*\x60//mg'
mkdir "$tmp/bin"
for tool in tc ip ethtool sysctl; do printf '#!/bin/sh\n' > "$tmp/bin/$tool"; chmod +x "$tmp/bin/$tool"; done

run() { # SCRIPT
	local flags=$flags
	# What the engine has as an option of toed, and scripts as a sysctl.
	grep -q 'tcp_ecn=1' "$tmp/$1" && flags+=,ecn
	cd "$tmp/$(dirname "$1")" || exit 1
	timeout 30 unshare -n env "PATH=$tmp/bin:$PATH" sh -c '
		/sbin/sysctl -qw net.ipv4.ip_nonlocal_bind=1 net.ipv6.ip_nonlocal_bind=1; exec "$@"' sh \
		"$root/gtests/net/packetdrill/packetdrill" "${address[@]}" --so_filename="$so" --so_flags="$flags" "$(basename "$1")" \
		> "$tmp/log" 2>&1
}

scripts=("$@")
other=v$((10 - family)).pkt
[ $# -gt 0 ] || mapfile -t scripts < <(cd "$tmp" && find tcp -name '*.pkt' ! -name "*$other" | sort)
passed=0 failed=0
for s in "${scripts[@]}"; do
	s=${s#gtests/net/}
	if (run "$s"); then
		echo "ok   $s"
		passed=$((passed + 1))
	else
		echo "FAIL $s: $(grep -m1 . "$tmp/log" | sed 's/^[^ ]*\.pkt:/line /')"
		failed=$((failed + 1))
	fi
done
echo "# packetdrill ipv$family: $passed passed, $failed failed"
[ $failed = 0 ]
