#!/usr/bin/env bash
# Runs every fuzz target for SECONDS, two at a time, on the kept seeds and on the small files of testdata.
# FUZZ_SEED makes runs repeat; without it each goes its own way.
# A crash, an input that takes 5 s, or more than 512 MiB fails; target/fuzz-logs has what each target said.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || { echo "usage: $0 SECONDS" >&2; exit 2; }
# cargo-fuzz needs -Z flags; the stable compiler takes them when told to.
export RUSTC_BOOTSTRAP=1 CARGO_INCREMENTAL=0
seed_bytes=8192 # larger seeds make every run slow

# What follows preamble, "DICM" and the file meta information, whose length (0002,0000) tells at byte 140.
data_set_of() {
  [ "$(head -c 132 "$1" | tail -c 4 | tr -d '\0')" = DICM ] || { cat "$1"; return; }
  local group_length
  group_length=$(od -An -tu4 -j140 -N4 "$1" 2>/dev/null | tr -d " ") || true # a file cut before it
  tail -c "+$((145 + ${group_length:-0}))" "$1"
}

copy_seeds() {
  mkdir -p fuzz/corpus/{file_meta,data_set,convert,deidentify}
  local file name
  while IFS= read -r -d '' file; do
    name=testdata-$(cksum <"$file" | tr -d ' ')
    [ -e "fuzz/corpus/deidentify/$name" ] && continue
    cp "$file" "fuzz/corpus/file_meta/$name"
    data_set_of "$file" >"fuzz/corpus/data_set/$name"
    cp "fuzz/corpus/data_set/$name" "fuzz/corpus/convert/$name"
    cp "fuzz/corpus/data_set/$name" "fuzz/corpus/deidentify/$name"
  done < <(find testdata/corpus testdata/hostile -type f ! -name '*.py' ! -name '*.tsv' -size "-$((seed_bytes + 1))c" -print0)
}

run() { # TARGET SECONDS
  local log=target/fuzz-logs/$1.log
  if CARGO_TERM_COLOR=never cargo fuzz run --sanitizer none "$1" -- \
      -max_total_time="$2" -seed="${FUZZ_SEED:-0}" -rss_limit_mb=512 -timeout=5 -print_final_stats=1 >"$log" 2>&1; then
    echo "passed: $1, $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") runs"
  else
    echo "FAILED: $1; $log says:"
    grep -a -A 3 -e 'panicked at' -e '^==.*ERROR' -e '^error' -e 'cargo fuzz run' "$log" | cut -c 1-300 | sed 's/^/    /'
  fi
}
export -f run

cargo fuzz build --sanitizer none
copy_seeds
mkdir -p target/fuzz-logs
cargo fuzz list | xargs -P 2 -I{} bash -c 'run {} '"$seconds" | tee target/fuzz-logs/summary

passed=$(grep -c '^passed: ' target/fuzz-logs/summary || true)
failed=$(grep -c '^FAILED: ' target/fuzz-logs/summary || true)
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -eq "$(cargo fuzz list | wc -l)" ]
