#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh fuzz SECONDS FUZZER...   each for that long
# run.sh replay FUZZER...         every input that is kept, once
# run.sh keep FUZZER...           what was found goes into the kept corpus, as few inputs as reach the same
#
# First inputs are in tests/fuzz/seeds/NAME, the kept corpus in tests/fuzz/corpus/NAME.tar.xz. It is unpacked into
# build-fuzz/corpus/NAME, where what is new goes; findings are in build-fuzz/findings.
set -u
cd "$(dirname "$0")/../.." || exit 1
out=build-fuzz
mode=$1
shift
seconds=0
[ "$mode" = fuzz ] && { seconds=$1; shift; }
common=(-timeout=10 -max_len=4096)
mkdir -p "$out/findings"

unpack() { # NAME
	mkdir -p "$out/corpus/$1"
	[ ! -f "tests/fuzz/corpus/$1.tar.xz" ] || tar -xJf "tests/fuzz/corpus/$1.tar.xz" -C "$out/corpus/$1"
}

fuzz() { # FUZZER NAME
	"$1" -max_total_time="$seconds" "${common[@]}" -use_value_profile=1 -print_final_stats=1 \
		-artifact_prefix="$out/findings/$2-" "$out/corpus/$2" "tests/fuzz/seeds/$2"
}

replay() {
	"$1" -runs=0 "${common[@]}" -print_final_stats=1 -artifact_prefix="$out/findings/$2-" \
		"$out/corpus/$2" "tests/fuzz/seeds/$2"
}

keep() {
	rm -rf "$out/kept/$2"
	mkdir -p "$out/kept/$2" tests/fuzz/corpus
	"$1" -merge=1 "${common[@]}" "$out/kept/$2" "tests/fuzz/seeds/$2" "$out/corpus/$2" &&
		tar --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -C "$out/kept/$2" \
			-cJf "tests/fuzz/corpus/$2.tar.xz" .
}

failed=0
for f in "$@"; do
	name=$(basename "$f")
	[ "$mode" != fuzz ] || echo "$name: $seconds s"
	unpack "$name"
	if "$mode" "$f" "$name" > "$out/$name.log" 2>&1; then
		sed -n "s/^stat::number_of_executed_units: */  $name, runs: /p" "$out/$name.log"
	else
		failed=$((failed + 1))
		tail -n 30 "$out/$name.log"
		echo "  FINDING: see $out/$name.log and $out/findings"
	fi
done
echo "# $mode: $(($# - failed)) passed, $failed failed"
[ "$failed" = 0 ]
