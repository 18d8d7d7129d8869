#!/usr/bin/env bash
# Sweep, replay, plants and mutants on cloud kernels of Debian: those in the folder of PTI_CHECK_KERNELS, or else 6.1 and 6.12 of this
# distribution, whose packages are downloaded (27 and 34 MB) where there is apt-get, and deleted afterwards. Without one it says that it
# did NOT run. Debian's 6.1 has no handler of machine checks, 6.12 has one. Then a million steps of the first beside QEMU, where it is.
# Nothing of the kernel is executed on this machine.
set -euo pipefail
cd "$(dirname "$0")/.."

folder=${PTI_CHECK_KERNELS:-}
if [ -z "$folder" ]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  if command -v apt-get >/dev/null && command -v apt-cache >/dev/null; then
    [ "$(id -u)" != 0 ] || timeout 60 apt-get update >/dev/null 2>&1 || echo 'the list of packages is as old as it was'
    oldest=$(apt-cache depends linux-image-cloud-amd64 2>/dev/null | awk '/Depends: linux-image-6\.1\.0-/ { print $2; exit }')
    newest=$(apt-cache pkgnames linux-image-6.12. 2>/dev/null | grep 'cloud-amd64$' | sort -V | tail -n 1 || true)
    for package in $oldest $newest; do
      (cd "$folder" && timeout 120 apt-get download "$package" >/dev/null 2>&1) || echo "$package could not be downloaded"
    done
  fi
  if ! ls "$folder"/linux-image-*.deb >/dev/null 2>&1; then
    echo 'NOT RUN: no kernel of a distribution was swept, or compared with QEMU, because there is no package of one (Debian 12: apt-get download linux-image-6.1.0-*-cloud-amd64)'
    exit 0
  fi
fi
PTI_CHECK_KERNELS=$folder npx jest --ci properties/linux/real-kernels-sweep
# One of them; the test above has found that there is one.
bash scripts/qemu-kernel.sh "$(find "$folder" -name '*6.1.0-*cloud*' | sort | head -n 1)"
