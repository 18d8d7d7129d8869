#!/usr/bin/env bash
# The searches of 180 small configurations agree: plain, reduced, on one thread and on two. scripts/check-configurations.ts has what is
# asked, and the limits of a search. An argument names another design than mainline, further ones the configurations.
set -euo pipefail
cd "$(dirname "$0")/.."
exec node -r esbuild-register scripts/check-configurations.ts "$@"
