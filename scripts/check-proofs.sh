#!/usr/bin/env bash
# Every design and mutant of the model is proved or refuted, as it is declared: scripts/check-proofs.ts has what is asked. Takes a minute or
# two on two cores, and needs nothing but Node.
set -uo pipefail
cd "$(dirname "$0")/.."
node -r esbuild-register scripts/check-proofs.ts variants &
variants=$!
failed=0
node -r esbuild-register scripts/check-proofs.ts designs || failed=1
wait "$variants" || failed=1
exit "$failed"
