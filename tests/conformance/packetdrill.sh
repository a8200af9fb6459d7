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
	remote_ip=192.0.2.1
	address=(--ip_version=ipv4 --local_ip=192.168.0.1 --gateway_ip=192.168.0.1 --netmask_ip=255.255.0.0
		--remote_ip="$remote_ip" -D CODE=host_unreachable
		-D CMSG_LEVEL_IP=SOL_IP
		-D CMSG_TYPE_RECVERR=IP_RECVERR)
	local_ip=192.168.0.1
else
	remote_ip=fd3d:fa7b:d17d::1
	address=(--ip_version=ipv6 --local_ip=fd3d:0a0b:17d6::1 --gateway_ip=fd3d:0a0b:17d6:8888::1
		--remote_ip="$remote_ip" -D CODE=address_unreachable
		-D CMSG_LEVEL_IP=SOL_IPV6 -D CMSG_TYPE_RECVERR=IPV6_RECVERR)
	local_ip=fd3d:0a0b:17d6::1
fi

tmp=$(mktemp -d /tmp/toe-packetdrill.XXXXXX)
trap 'rm -rf "$tmp"' EXIT
cp -r "$root/gtests/net/tcp" "$root/gtests/net/common" "$tmp/"
# Linux' knobs: the adapter is told of each, and knows those that it has the like of.
mkdir "$tmp/bin"
cat > "$tmp/bin/sysctl" <<-'END'
	#!/bin/bash
	for knob in "$@"; do
		knob=${knob#/proc/sys/}
		[ "$knob" = "${knob#-}" ] && echo "${knob//\//.}" >> "$TOE_SYSCTLS"
	done
END
cat > "$tmp/bin/ip" <<-'END'
	#!/bin/bash
	[ "$1" != tcp_metrics ] || echo tcp_metrics=0 >> "$TOE_SYSCTLS"
END
cat > "$tmp/bin/tc" <<-'END'
	#!/bin/bash
	[[ $* != qdisc\ add*\ limit\ 0 ]] || echo qdisc_limit=0 >> "$TOE_SYSCTLS"
END
printf '#!/bin/sh\n' > "$tmp/bin/ethtool"
chmod +x "$tmp"/bin/*
cp "$tmp/bin/sysctl" "$tmp/tcp/common/set_sysctls.py"
cp "$tmp/bin/sysctl" "$tmp/common/set_sysctls.py"
# shellcheck disable=SC2016 # Perl's variables
find "$tmp" -name '*.pkt' -print0 | xargs -0 perl -0777 -pi -e \
	's/^([ \t]*[-+*0-9.~]*[ \t]*)%\{.*?\}%/$at = $1; $lines = $& =~ tr{\n}{}; ($at =~ m{[1-9]} ? "$at\x60true\x60" : "") . "\n" x $lines/smge; s/^\x60.*sysctl_restore.*\x60//mg; s/&>/>/g; s/^[^\n\x60]*\x60nstat[^\x60]*\x60//mg'

declare -A cookies
# The engine's Fast Open cookie for an address, its own or by a listener's key, from the packet that a script is surprised by.
learn_cookie() { # REMOTE_IP KEY
	[ -z "${cookies[$1$2]:-}" ] || return
	cat > "$tmp/tcp/cookie.pkt" <<-END
		--remote_ip=$1
		0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
		+0 bind(3, ..., ...) = 0
		+0 setsockopt(3, IPPROTO_TCP, TCP_FASTOPEN, [1], 4) = 0
		${2:+"+0 setsockopt(3, IPPROTO_TCP, TCP_FASTOPEN_KEY, \"$2\", 16) = 0"}
		+0 listen(3, 1) = 0
		+0 < S 0:0(0) win 1000 <mss 1000,FO,nop,nop>
		+0 > S. 0:0(0) ack 1 <FO 0000000000000000,nop,nop>
	END
	packetdrill tcp/cookie.pkt
	cookies[$1$2]=$(sed -n 's/^actual.*FO \([0-9a-f]\{16\}\).*/\1/p' "$tmp/log")
}

# Scripts for both families have the segments of IPv4 and an MTU of 1500, over IPv6 20 bytes more; those for IPv6
# alone say by the MSS of their SYNs which one is meant.
mtu_of() { # SCRIPT
	if [ $family = 4 ] || grep -q '> S .*<mss 1440' "$tmp/$1"; then
		echo 1500
	else
		echo 1520
	fi
}

packetdrill() { # SCRIPT
	local mtu flags
	mtu=$(mtu_of "$1")
	flags=local=$local_ip,mtu=$mtu,sysctls=$tmp/sysctls
	flags+=$(sed -n 's/^--mss=/,mss=/p' "$tmp/$1")
	: > "$tmp/sysctls"
	(cd "$tmp/$(dirname "$1")" || exit 1
	exec timeout 30 unshare -n env "PATH=$tmp/bin:$PATH" "TOE_SYSCTLS=$tmp/sysctls" sh -c '
		/sbin/sysctl -qw net.ipv4.ip_nonlocal_bind=1 net.ipv6.ip_nonlocal_bind=1; exec "$@"' sh \
		env "LD_PRELOAD=$so" "$root/gtests/net/packetdrill/packetdrill" "${address[@]}" --mtu="$mtu" --so_filename="$so" \
		--so_flags="$flags" "$(basename "$1")" \
		> "$tmp/log" 2>&1)
}

# Linux' cookies, made with the key that the scripts set, become the engine's.
run() { # SCRIPT
	local remote key
	if grep -q 'FO' "$tmp/$1"; then
		remote=$(sed -n 's/^--remote_ip=//p' "$tmp/$1")
		remote=${remote:-$remote_ip}
		learn_cookie "$remote" ''
		key=$(sed -n 's/^ *"\(\\.*\)", 16) = 0/\1/p' "$tmp/$1" | head -n 1)
		learn_cookie "$remote" "$key"
		sed -i -E "s/00abaaabe8e954c2/${cookies[$remote$key]}/
			s/TFO_COOKIE|3021b9d889017eeb|1313a2da994a0951|76d2c1c530f51f79|93b7aa4f550f8a1a/${cookies[$remote]}/" "$tmp/$1"
	fi
	packetdrill "$1"
}

scripts=("$@")
other=v$((10 - family)).pkt
[ $# -gt 0 ] || mapfile -t scripts < <(cd "$tmp" && find tcp -name '*.pkt' ! -name "*$other" | sort)
passed=0 failed=0
for s in "${scripts[@]}"; do
	s=${s#gtests/net/}
	if run "$s"; then
		echo "ok   $s"
		passed=$((passed + 1))
	else
		echo "FAIL $s: $(grep -m1 . "$tmp/log" | sed 's/^[^ ]*\.pkt:/line /')"
		failed=$((failed + 1))
	fi
done
echo "# packetdrill ipv$family: $passed passed, $failed failed"
[ $failed = 0 ]
