#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# check.sh BUILDDIR: what can be said about the source without running it. BUILDDIR has libtoefw.a.
#
# format       clang-format leaves every C file as it is
# lint         cppcheck, warnings are errors
# shell        shellcheck, and Python compiles
# licence      every file says its licence
# freestanding libtoefw.a needs nothing but four memory functions and the port
# bare-metal   the same objects compile for a target without an operating system
# exports      libtoe.so shows toe_* only
# requirements the table of RFC 9293's requirements is whole, and what it names exists
# pages        a program's manual page has the options of its --help, and no others
set -u
cd "$(dirname "$0")/../.." || exit 1
b=$1
passed=0 failed=0
out=$(mktemp -d /tmp/toe-check.XXXXXX)
trap 'rm -rf "$out"' EXIT

verdict() { # NAME STATUS: $out/log tells why
	if [ "$2" = 0 ]; then
		echo "ok   $1"
		passed=$((passed + 1))
	else
		echo "FAIL $1"
		sed 's/^/     /' "$out/log" | head -n "${CHECK_LINES:-40}"
		failed=$((failed + 1))
	fi
}

sources() { # GLOB...: files of the tree by name
	local g args=()
	for g in "$@"; do args+=(-o -name "$g"); done
	find bpf firmware manager userspace tests -type f '(' "${args[@]:1}" ')'
}

format() {
	sources '*.c' '*.h' | xargs clang-format --dry-run -Werror > "$out/log" 2>&1
}

lint() {
	sources '*.c' | grep -v '\.bpf\.c$' | xargs cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 \
		--enable=warning,portability --suppressions-list=tests/harness/cppcheck.txt \
		-Ifirmware -Imanager -I. -j2 -D__GNUC__=12 -D__x86_64__=1 --include=tests/harness/cppcheck.h > "$out/log" 2>&1
}

shell() {
	sources '*.sh' | xargs shellcheck .ci/run > "$out/log" 2>&1 &&
		sources '*.py' |
		xargs python3 -c 'import ast, sys; [ast.parse(open(f).read(), f) for f in sys.argv[1:]]' tests/harness/run > "$out/log" 2>&1
}

licence() {
	sources '*.c' '*.h' '*.def' '*.sh' '*.py' '*.map' |
		xargs grep -L SPDX-License-Identifier Makefile .ci/run tests/harness/run > "$out/log"
	[ ! -s "$out/log" ]
}

# Undefined names that no object of the archive defines.
undefined() {
	nm -P "$1" | awk 'NF >= 2 && $2 == "U" { need[$1] = 1 } NF >= 2 && $2 != "U" { have[$1] = 1 }
		END { for (s in need) if (!(s in have)) print s }'
}

freestanding() {
	undefined "$1" | grep -vxE 'memcpy|memmove|memset|memcmp|toe_port_[a-z0-9_]+' > "$out/log"
	[ ! -s "$out/log" ]
}

bare_metal() {
	local f o
	mkdir -p "$out/obj"
	for f in firmware/core/*.c firmware/tcp/*.c firmware/wire/*.c firmware/lib/*.c; do
		[ -e "$f" ] || continue
		o=$out/obj/$(echo "$f" | tr / _).o
		clang --target=aarch64-none-elf -std=c11 -O2 -Wall -Wextra -Werror -Wno-unused-parameter \
			-ffreestanding -nostdlibinc -Ifirmware -c "$f" -o "$o" > "$out/log" 2>&1 || return 1
	done
	rm -f "$out/fw.a"
	ar rcs "$out/fw.a" "$out"/obj/*.o && freestanding "$out/fw.a"
}

exports() {
	nm -D --defined-only -P "$b/libtoe.so" | awk '$1 !~ /^toe_/ && $2 != "A" { print $1 }' > "$out/log"
	[ ! -s "$out/log" ]
}

requirements() {
	python3 tests/harness/requirements.py > "$out/log" 2>&1
}

options() { # the long options of a text, and those of one letter
	grep -oE '(^|[^[:alnum:]-])-(-[a-z]+(-[a-z]+)*|[a-z]\b)' | tr -cd 'a-z\n-' | sort -u
}

page_options() { # PROGRAM PAGE: both say the same
	"$b/$1" --help | options > "$out/help" && [ -s "$out/help" ] &&
		sed 's/\\-/-/g; /^\.SH FILES/,$d' "$2" | options | diff "$out/help" - >> "$out/log"
}

pages() {
	: > "$out/log"
	page_options toed userspace/man/toed.8 && page_options toectl userspace/man/toectl.1
}

format; verdict format $?
lint; verdict lint $?
shell; verdict shell $?
licence; verdict licence $?
freestanding "$b/libtoefw.a"; verdict freestanding $?
bare_metal; verdict bare-metal $?
exports; verdict exports $?
requirements; verdict requirements $?
pages; verdict pages $?
echo "# check: $passed passed, $failed failed"
[ "$failed" = 0 ]
