#!/usr/bin/env bash
# Compares our searches of the abstract machine, by direct execution and compiled, reduced and not, with each other, with SPIN and with rumur: `bash scripts/cross-check.sh [--mutants]`. Installs nothing (Debian:
# apt-get install spin rumur gcc). Where a tool is missing it says what did NOT run; exit code 1 only where the checkers disagree or fail.
set -euo pipefail
cd "$(dirname "$0")/.."

has() { command -v "$1" >/dev/null; }

checkers=(compiled)
for checker in spin rumur; do
  if has "$checker" && has gcc; then
    checkers+=("$checker")
  else
    echo "NOT RUN: the cross-check with $checker, because it or gcc is not installed (Debian: apt-get install gcc $checker)"
  fi
done
exec node -r esbuild-register scripts/cross-check.ts "$@" "${checkers[@]}"
