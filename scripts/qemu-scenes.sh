#!/usr/bin/env bash
# Random privileged sequences on the emulator and on QEMU, compared after every step: scripts/qemu-scenes.sh [--sequences 400] [--seed S]
# [--help]. Exit code 1 if they differ in anything that emulator/oracle/accepted-differences.ts and accepted-divergences.ts do not list.
# Installs nothing (Debian: apt-get install qemu-system-x86); without QEMU it says that it did NOT run. Set QEMU to use another.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec node -r "$root/scripts/register.js" "$root/scripts/qemu-scenes.ts" "$@"
