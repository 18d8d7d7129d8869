#!/usr/bin/env bash
# A Linux kernel, booted in the emulator on one CPU, beside QEMU in epochs: scripts/qemu-kernel.sh IMAGE [--steps 1000000] [--seed S] [--help].
# Exit code 1 if they differ. Needs QEMU (Debian: apt-get install qemu-system-x86) and says so if there is none. Set QEMU to use another.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec node -r "$root/node_modules/esbuild-register" "$root/scripts/qemu-kernel.ts" "$@"
