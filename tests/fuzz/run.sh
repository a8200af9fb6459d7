#!/bin/bash
# SPDX-License-Identifier: BSD-2-Clause
#
# run.sh SECONDS FUZZER...: each for that long. First inputs are in tests/fuzz/seeds/NAME; what is new
# stays in build-fuzz/corpus/NAME, findings in build-fuzz/findings.
set -u
cd "$(dirname "$0")/../.." || exit 1
seconds=$1
shift
failed=0
mkdir -p build-fuzz/findings
for f in "$@"; do
	name=$(basename "$f")
	corpus=build-fuzz/corpus/$name
	mkdir -p "$corpus" "tests/fuzz/seeds/$name"
	echo "$name: $seconds s"
	if "$f" -max_total_time="$seconds" -timeout=10 -max_len=4096 -use_value_profile=1 -print_final_stats=1 \
		-artifact_prefix="build-fuzz/findings/$name-" "$corpus" "tests/fuzz/seeds/$name" \
		> "build-fuzz/$name.log" 2>&1; then
		sed -n 's/^stat::number_of_executed_units: */  runs: /p' "build-fuzz/$name.log"
	else
		failed=$((failed + 1))
		tail -n 30 "build-fuzz/$name.log"
		echo "  FINDING: see build-fuzz/$name.log and build-fuzz/findings"
	fi
done
echo "# fuzz: $(($# - failed)) passed, $failed failed"
[ "$failed" = 0 ]
