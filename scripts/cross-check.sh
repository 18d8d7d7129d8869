#!/usr/bin/env bash
# Compares our search of the abstract machine with SPIN and rumur: `bash scripts/cross-check.sh [--mutants]`. Installs nothing (Debian:
# apt-get install spin rumur gcc). Where a tool is missing it says what did NOT run; exit code 1 only where the checkers disagree or fail.
set -euo pipefail
cd "$(dirname "$0")/.."

has() { command -v "$1" >/dev/null; }

if ! has gcc; then
  echo 'NOT RUN: the cross-check with SPIN and rumur, because both write C and there is no gcc (Debian: apt-get install gcc spin rumur)'
  exit 0
fi
checkers=()
for checker in spin rumur; do
  if has "$checker"; then
    checkers+=("$checker")
  else
    echo "NOT RUN: the cross-check with $checker, because it is not installed (Debian: apt-get install $checker)"
  fi
done
[ "${#checkers[@]}" -gt 0 ] || exit 0
exec node -r esbuild-register scripts/cross-check.ts "$@" "${checkers[@]}"
