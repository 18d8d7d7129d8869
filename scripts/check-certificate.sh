#!/usr/bin/env bash
# Has a SAT solver show that the certificate of a proof is an inductive invariant of the concrete system of given bounds, and that it
# implies every property: scripts/check-certificate.ts has what is asked, docs/certificate.md the format. Without a file each safe design
# is proved first. Needs MiniSat or CaDiCaL (Debian: apt-get install minisat); without them it says that it did NOT run.
#
#   bash scripts/check-certificate.sh [--design ID] [--cpus N --tasks N --mms N --nesting N|any] [--solver minisat|cadical] [CERTIFICATE]
#   bash scripts/check-certificate.sh --plants     wrong certificates, each of which has to be rejected
set -euo pipefail
cd "$(dirname "$0")/.."
if ! command -v minisat >/dev/null && ! command -v cadical >/dev/null; then
  echo 'NOT RUN: no certificate was checked, because there is no SAT solver (Debian: apt-get install minisat, or cadical)'
  exit 0
fi
exec node -r esbuild-register scripts/check-certificate.ts "$@"
