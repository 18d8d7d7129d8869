#!/usr/bin/env bash
# A Linux kernel, booted in the emulator on one CPU, beside QEMU in epochs: scripts/qemu-kernel.sh IMAGE [--steps 1000000] [--seed S] [--help].
# Exit code 1 if they differ. Needs QEMU (Debian: apt-get install qemu-system-x86) and says so if there is none. Set QEMU to use another.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# A boot with what the build made takes some 15 s of CPU, and ten times that without.
npm run --silent --prefix "$root" build
exec node -r "$root/scripts/register.js" "$root/scripts/qemu-kernel.ts" "$@"
