#!/usr/bin/env bash
# The conformance corpus on the emulator and on Bochs, which has the PCIDs that QEMU lacks: scripts/bochs-conformance.sh [--kind TEXT]
# [--share N] [--random N] [--seed S] [--help]. Exit code 1 if they differ in anything that emulator/oracle/bochs/bochs-differences.ts does not list. Installs
# nothing (Debian: apt-get install bochs bochs-term); without Bochs it says that it did NOT run. Set BOCHS to use another.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
exec node -r "$root/scripts/register.js" "$root/scripts/bochs-conformance.ts" "$@"
