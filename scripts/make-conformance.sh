#!/usr/bin/env bash
# Makes the conformance corpus of privileged transitions anew: scripts/make-conformance.sh [--count 110] [--seed 1] [--check]. It needs
# QEMU (Debian: apt-get install qemu-system-x86) and says so if there is none. --check writes nothing and compares with the files that are there.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec node -r "$root/scripts/register.js" "$root/scripts/make-conformance.ts" "$@"
