#!/usr/bin/env bash
# The emulator against QEMU, instruction by instruction from the boot code on: scripts/qemu-lockstep.sh [--design mainline]
# [--steps 100000] [--seed S] [--help]. Exit code 1 if they differ in anything that emulator/oracle/accepted-differences.ts does not
# list. Installs nothing (Debian: apt-get install qemu-system-x86); without QEMU it says that it did NOT run. Set QEMU to use another.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec node -r "$root/scripts/register.js" "$root/scripts/qemu-lockstep.ts" "$@"
