#!/usr/bin/env bash
# The emulator against QEMU, from return to user mode to return to user mode: scripts/qemu-epochs.sh [--design mainline,no-pti]
# [--steps 1000000] [--cpus 2] [--seed S] [--help]. All five guests if nothing is said. Exit code 1 if they differ in anything that
# emulator/oracle/accepted-differences.ts does not list. Installs nothing (Debian: apt-get install qemu-system-x86); without QEMU it
# says that it did NOT run. Set QEMU to use another.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec node -r "$root/scripts/register.js" "$root/scripts/qemu-epochs.ts" "$@"
