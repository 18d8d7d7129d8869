#!/usr/bin/env bash
# Fuzzes deferred-percpu with N seeds (default 100, printed) and compares each shrunk trace with the shortest one of the exhaustive search.
# Prints one line a seed and a last line with the count; exit 1 if a seed missed the property, took 30 s or more, or shrank to another length.
set -euo pipefail
cd "$(dirname "$0")/.."
seeds=${1:-100}
found=$(mktemp -d)
trap 'rm -rf "$found"' EXIT
cli=dist/properties/cli/main.js

shortest=$(node "$cli" verify --design deferred-percpu --json 2>/dev/null | node -p 'JSON.parse(require("fs").readFileSync(0)).trace.length' || true)
echo "verify --design deferred-percpu: shortest trace $shortest"
good=0
for seed in $(seq 1 "$seeds"); do
  line=$(node "$cli" fuzz --design deferred-percpu --seed "$seed" --save "$found" --json 2>/dev/null | node -p '
    const r = JSON.parse(require("fs").readFileSync(0));
    [r.property, r.actionsShrunk, r.actionsFound, r.seconds.toFixed(1)].join(" ")' || true)
  read -r property shrunk length seconds <<<"$line"
  verdict=MISSED
  if [ "$property" = scheduled-out-on-own-stack ] && [ "$shrunk" = "$shortest" ] && [ "${seconds%.*}" -lt 30 ]; then
    verdict=ok
    good=$((good + 1))
  fi
  echo "seed $seed: $property, found $length, shrunk $shrunk, $seconds s: $verdict"
done
echo "$good of $seeds seeds"
[ "$good" = "$seeds" ]
