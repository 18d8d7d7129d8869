#!/usr/bin/env bash
# Single instructions at CPL 3 on the emulator and on QEMU, in batches, with a driver that both execute: scripts/qemu-vectors.sh
# [--instances 100000] [--seed S] [--help]. Exit code 1 if they differ in anything that emulator/oracle/vectors/vector-differences.ts does
# not list. Installs nothing (Debian: apt-get install qemu-system-x86); without QEMU it says that it did NOT run. Set QEMU to use another.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec node -r "$root/scripts/register.js" "$root/scripts/qemu-vectors.ts" "$@"
