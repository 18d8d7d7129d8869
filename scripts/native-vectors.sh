#!/usr/bin/env bash
# The emulator against the processor that this runs on, instruction by instruction at CPL 3: scripts/native-vectors.sh
# [--instances 100000] [--seed S] [--help]. Exit code 1 if they differ in anything that a manual defines. Executes random instructions of
# its own making in a process of its own, and nothing of any image. Needs Linux on x86-64 and GNU binutils (Debian: binutils); without
# them it says that it did NOT run.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec node -r "$root/scripts/register.js" "$root/scripts/native-vectors.ts" "$@"
