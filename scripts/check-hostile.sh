#!/usr/bin/env bash
# The three safe designs under a user program that does everything CPL 3 may do (emulator/guest/kernel/hostile-user.S), with 3 tasks in
# 2 address spaces: no violation and no divergence in ACTIONS actions of random walks (2,000,000 without an argument), which they share.
#
#   scripts/check-hostile.sh [ACTIONS]
#
# Prints a line for each image. Exit code 1 if one does not hold; what was found is saved in the folder that the answer names.
set -euo pipefail
cd "$(dirname "$0")/.."

actions=${1:-2000000}
if ! [[ $actions =~ ^[1-9][0-9]*$ ]]; then
  echo "usage: $0 [ACTIONS]" >&2
  exit 2
fi
designs=(mainline deferred-pertask asm-return)
share=$(((actions + ${#designs[@]} - 1) / ${#designs[@]}))
# A walk has about 95 actions. More of them in one campaign than this gain nothing, fewer pay too much for its sweep.
most_runs=8000

main=dist/properties/cli/main.js
[ -f "$main" ] || npm run --silent build
failed=0
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT

# field NAME: a number of the JSON answer on standard input.
field() {
  node -e 'console.log(JSON.parse(require("fs").readFileSync(0, "utf8"))[process.argv[1]])' "$1"
}

for design in "${designs[@]}"; do
  done_actions=0
  seed=0
  while [ "$done_actions" -lt "$share" ]; do
    seed=$((seed + 1))
    runs=$(((share - done_actions) / 90 + 1))
    [ "$runs" -le "$most_runs" ] || runs=$most_runs
    code=0
    answer=$(node "$main" fuzz --entry "emulator/guest/$design/$design-hostile.elf" --design "$design" --tasks 3 --mms 2 \
      --seed "$seed" --runs "$runs" --json 2>"$errors") || code=$?
    if [ "$code" -ne 0 ]; then
      echo "$design: does not hold (exit code $code, seed $seed): ${answer:-$(tail -n 1 "$errors")}"
      failed=1
      break
    fi
    done_actions=$((done_actions + $(field steps <<<"$answer")))
  done
  [ "$code" -ne 0 ] || echo "$design: holds in $done_actions actions, 3 tasks, 2 address spaces, $seed seeds"
done
exit "$failed"
