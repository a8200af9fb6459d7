#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# build.sh OUT LIBTOE.A: Debian's NGINX source, patched, as OUT/nginx.
#
# Source and objects are cached in OUT; a new libtoe.a costs a link, a new patch or toe.h a rebuild.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
lib=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
patch=$here/nginx-toe.patch

# A private source list, made from the machine's own: most machines list binary packages only.
private_sources() {
	mkdir -p "$out/apt/parts" "$out/apt/lists/partial"
	for f in /etc/apt/sources.list.d/*.sources; do
		[ -e "$f" ] && sed 's/^Types:.*/Types: deb-src/' "$f" > "$out/apt/parts/$(basename "$f")"
	done
	for f in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ -e "$f" ] && sed -n 's/^deb[[:space:]]/deb-src /p' "$f" > "$out/apt/parts/$(basename "$f" .list).list"
	done
	return 0
}

apt() {
	apt-get -qq -o APT::Sandbox::User=root -o Dir::Etc::SourceList=/dev/null \
		-o Dir::Etc::SourceParts="$out/apt/parts" -o Dir::State::Lists="$out/apt/lists" \
		-o Dir::Cache::SrcPkgCache= -o Dir::Cache::PkgCache= "$@"
}

download() {
	set -- "$out"/nginx_*.orig.tar.gz
	[ -e "$1" ] && return
	echo "nginx: fetching Debian's source"
	private_sources
	apt update > "$out/apt.log" 2>&1 || true # one broken list does not matter if another has nginx
	if ! (cd "$out" && apt source --download-only --tar-only nginx) >> "$out/apt.log" 2>&1; then
		tail -n 3 "$out/apt.log" >&2
		echo "nginx: no source from apt (see $out/apt.log); put nginx_VERSION.orig.tar.gz into $out" >&2
		exit 1
	fi
}

configure() {
	echo "nginx: configuring"
	rm -rf "$out/src"
	mkdir "$out/src"
	tar -xzf "$out"/nginx_*.orig.tar.gz -C "$out/src" --strip-components=1
	cd "$out/src"
	patch -s -p1 < "$patch"
	./configure --prefix=/usr/share/nginx --with-cc-opt="-O2 -g -I$root/manager" \
		--with-ld-opt="$lib -lpthread" > "$out/configure.log" 2>&1 ||
		{ tail -n 5 "$out/configure.log" >&2; exit 1; }
	echo "$key" > "$out/key"
}

download
key="$lib $(cat "$patch" "$root/manager/toe.h" "$0" | cksum)"
[ "$key" = "$(cat "$out/key" 2> /dev/null)" ] || configure
cd "$out/src"
if [ "$lib" -nt objs/nginx ]; then
	rm -f objs/nginx
	echo "nginx: building"
	make -s -j2 > "$out/make.log" 2>&1 || { grep -m 5 error "$out/make.log" >&2 || tail -n 5 "$out/make.log" >&2; exit 1; }
	ln -f objs/nginx "$out/nginx"
fi
