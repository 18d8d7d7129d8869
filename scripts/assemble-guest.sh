#!/bin/sh
# Assembles every guest image from emulator/guest/*/entry.S, the program that Linux runs from emulator/linux/workload, and the driver
# of emulator/oracle/vectors, into the ELF files that are checked in beside them.
#
#   scripts/assemble-guest.sh            write the images
#   scripts/assemble-guest.sh --check    assemble into a temporary folder and compare: exit 1 on any difference
#
# Needs GNU binutils for x86-64 (Debian: binutils). Without them nothing is done, which it says, with status 0.
# Set AS, LD and STRIP to use others, such as x86_64-linux-gnu-as.
set -eu

AS=${AS:-as}
LD=${LD:-ld}
STRIP=${STRIP:-strip}

root=$(cd "$(dirname "$0")/.." && pwd)
guest=$root/emulator/guest

check=no
case "${1:-}" in
  '') ;;
  --check) check=yes ;;
  *) echo "usage: $0 [--check]" >&2; exit 2 ;;
esac

if ! command -v "$AS" >/dev/null 2>&1; then
  echo "assembler not installed: guest images were NOT re-assembled"
  exit 0
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
differences=0
images=0

# image DESIGN SOURCE-FOLDER [SUFFIX [SYMBOL=VALUE ...]]: one ELF file. Constants (upper case) and section bounds leave no symbols.
image() {
  design=$1 source=$2 suffix=${3:-}
  shift 2
  [ $# -eq 0 ] || shift
  name=$design/$design$suffix.elf
  defines=''
  for define in "$@"; do defines="$defines --defsym $define"; done
  # shellcheck disable=SC2086
  (cd "$guest/$source" && "$AS" --64 -mx86-used-note=no -I ../kernel $defines -o "$work/image.o" entry.S)
  "$LD" -static -nostdlib --build-id=none -z max-page-size=4096 -z noexecstack \
    -T "$guest/kernel/linker.ld" -o "$work/image.elf" "$work/image.o"
  "$STRIP" -g -w -N '[A-Z]*' -N '__*' "$work/image.elf"
  finish "emulator/guest/$name"
}

# finish FILE: writes what was linked to it, or compares.
finish() {
  chmod 644 "$work/image.elf"
  images=$((images + 1))
  if [ $check = no ]; then
    mv "$work/image.elf" "$root/$1"
  elif ! cmp -s "$work/image.elf" "$root/$1"; then
    echo "differs from its source: $1" >&2
    differences=$((differences + 1))
  fi
}

# The program that a Linux kernel runs as /init.
workload() {
  (cd "$root/emulator/linux/workload" && "$AS" --64 -mx86-used-note=no -o "$work/image.o" workload.S)
  "$LD" -static -nostdlib --build-id=none -z max-page-size=4096 -z noexecstack -o "$work/image.elf" "$work/image.o"
  "$STRIP" -g -w -N '[A-Z]*' -N '__*' "$work/image.elf"
  finish emulator/linux/workload/workload.elf
}

# The driver of vectors, which the emulator and QEMU execute.
driver() {
  (cd "$root/emulator/oracle/vectors" && "$AS" --64 -mx86-used-note=no -o "$work/image.o" driver.S)
  "$LD" -static -nostdlib --build-id=none -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
    -T "$root/emulator/oracle/vectors/driver.ld" -o "$work/image.elf" "$work/image.o"
  "$STRIP" -g -w -N '[A-Z]*' -N '__*' "$work/image.elf"
  finish emulator/oracle/vectors/driver.elf
}

# mutant DESIGN NAME [SYMBOL=VALUE ...]: the design with one planted bug, under .ifdef MUTANT_name in the sources.
mutant() {
  of=$1 name=$2
  shift 2
  image "$of" "$of" "+$name" PTI=1 PCID=1 "MUTANT_$(echo "$name" | tr - _)=1" "$@"
}

for design in mainline deferred-percpu deferred-pertask asm-return; do
  image $design $design '' PTI=1 PCID=1
  image $design $design -nopcid PTI=1 PCID=0
done
for design in mainline deferred-pertask asm-return; do
  image $design $design -hostile PTI=1 PCID=1 HOSTILE_USER=1
done
image no-pti mainline '' PTI=0 PCID=1
image no-pti mainline -nopcid PTI=0 PCID=0

for name in \
  no-cr3-switch-on-nmi-entry no-cr3-restore-on-nmi-exit nmi-exit-decides-cr3-by-gs \
  no-cr3-switch-on-idt-entry no-cr3-switch-on-exit no-swapgs-on-exit no-swapgs-at-bad-iret \
  body-before-cr3 sti-on-trampoline frame-left-on-entry-stack user-rsp-in-scratch \
  kernel-stack-in-user-table entry-stack-read-only nmi-stack-unmapped \
  on-cpu-released-early top-not-switched irq-stack-shared \
  nested-nmi-ignored no-nmi-executing-flag nmi-clobbers-frame nmi-handler-loops nmi-never-unblocked \
  gp-gate-not-present kernel-stack-overflow recursive-fault sysret-to-noncanonical \
  iopl-from-frame flush-wait-with-if-off task-stack-reused-early no-verw-before-sysret \
  orig-ax-not-set
do
  mutant mainline $name
done
for name in df-not-cleared flush-not-paid registers-not-cleared selectors-not-switched fs-base-not-saved; do
  mutant mainline $name HOSTILE_USER=1
done
for name in sp0-not-switched pti-stack-unmapped; do
  mutant deferred-pertask $name
done

workload
driver

if [ $check = no ]; then
  echo "assembled $images guest images"
elif [ $differences -ne 0 ]; then
  echo "$differences of $images guest images differ: run scripts/assemble-guest.sh and look at the changes" >&2
  echo "(assembled with $("$AS" --version | head -n 1); the checked-in files with GNU binutils 2.40)" >&2
  exit 1
else
  echo "$images guest images are what their sources say"
fi
