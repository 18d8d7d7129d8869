#!/usr/bin/env bash
# Damages one byte of a file that a search has kept, and searches again: `bash scripts/check-cache.sh [TIMES [SEED]]`, by
# default 200 times. No answer may change, and no run may end with exit code 70. Searches with
# dist/, so `npm run build` comes first.
set -euo pipefail
cd "$(dirname "$0")/.."
exec node -r esbuild-register scripts/check-cache.ts "$@"
