#!/usr/bin/env bash
# Interrupts `fuzz` on a failing image at N random moments (default 20) after it has found a failure, and replays what it saved. The moments are drawn from
# a seed (second argument, default 1; printed). SIGINT and SIGTERM take turns.
# Prints one line a moment and a last line with the count; exit 1 if an answer or a file is missing, is not the failure, or does not replay.
set -euo pipefail
cd "$(dirname "$0")/.."
count=${1:-20}
seed=${2:-1}
cli=dist/properties/cli/main.js
image=emulator/guest/mainline/mainline+user-rsp-in-scratch.elf
# From the line that says that a failure was found to the end of shrinking takes less than this, seconds.
longest=3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
RANDOM=$seed
echo "seed $seed"

good=0
for n in $(seq 1 "$count"); do
  save=$folder/$n
  signal=$([ $((n % 2)) = 1 ] && echo INT || echo TERM)
  touch "$save.errors"
  # Not in a subshell, which has a generator of its own.
  moment=$RANDOM
  wait=$(node -p "($moment / 32768 * $longest).toFixed(2)")
  # A command in the background of a script ignores SIGINT from its start; node sets a handler of its own, which ends that.
  node "$cli" fuzz --entry "$image" --design mainline --seconds 60 --seed "$seed-$n" --save "$save" --json >"$save.answer" 2>"$save.errors" &
  pid=$!
  until grep -q 'violates' "$save.errors" || ! kill -0 "$pid" 2>/dev/null; do sleep 0.02; done
  sleep "$wait"
  kill -"$signal" "$pid" 2>/dev/null || true
  code=0
  wait "$pid" || code=$?
  files=("$save"/*.json)
  replayed=0
  node "$cli" replay "${files[@]}" >"$save.replay" 2>&1 || replayed=$?
  said=$(node -p '
    const r = JSON.parse(require("fs").readFileSync(0));
    [r.verdict, r.property, r.actionsFound, r.actionsShrunk, r.shrinkingStopped ? "stopped" : "shrunk", r.counterexample].join(" ")' <"$save.answer" || true)
  read -r verdict property found shrunk how file <<<"$said" || true
  result=LOST
  if [ "$code" = 1 ] && [ "$verdict" = violated ] && [ "$replayed" = 0 ] && [ "${#files[@]}" = 1 ] && [ "$file" = "${files[0]}" ]; then
    result=ok
    good=$((good + 1))
  fi
  echo "$n: SIG$signal $wait s after it was found: exit $code, $property, $found actions, $shrunk $how, ${#files[@]} file, replay $replayed: $result"
  [ "$result" = ok ] || cat "$save.errors"
done
echo "$good of $count moments"
[ "$good" = "$count" ]
