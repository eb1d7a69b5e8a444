#!/usr/bin/env bash
# Runs every fuzz target for SECONDS on the kept seeds, two at a time. A crash, a hang or more than 512 MiB fails.
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-60}
# cargo-fuzz needs -Z flags; the stable compiler takes them when told to.
export RUSTC_BOOTSTRAP=1
targets=$(cargo fuzz list)
for target in $targets; do cargo fuzz build --sanitizer none "$target" >&2; done
mkdir -p target/fuzz-logs
run() {
  target=$1
  if cargo fuzz run --sanitizer none "$target" -- -max_total_time="$2" -rss_limit_mb=512 -timeout=5 -print_final_stats=1 \
      >"target/fuzz-logs/$target.log" 2>&1; then
    echo "$target: clean, $(grep -o 'stat::number_of_executed_units: *[0-9]*' "target/fuzz-logs/$target.log" | grep -o '[0-9]*$') runs"
  else
    echo "$target: FAILED"; tail -n 30 "target/fuzz-logs/$target.log"; return 1
  fi
}
export -f run
echo "$targets" | xargs -P 2 -I{} bash -c 'run {} '"$seconds"
