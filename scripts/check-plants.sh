#!/usr/bin/env bash
# Plants of emulator/guest/plants: each is a patch that puts the mechanism of a public bug report into a copy of emulator/guest, or right
# code that looks wrong. Assembles each and compares what `fuzz` answers with the right answer in plants.tsv.
#
#   scripts/check-plants.sh [NAME ...]       all plants, or those whose names begin so
#
# Prints a line for each, in the order in which they end: name, right answer, answer, ok or WRONG. Exit code 1 if one is wrong.
# Needs GNU binutils for x86-64 and patch; without them nothing is done, which it says, with exit code 0.
set -euo pipefail
cd "$(dirname "$0")/.."

plants=emulator/guest/plants
main=dist/properties/cli/main.js
at_once=2

# What fuzz answered: holds, the slug of a property, diverged, vacuous, bad-input with its sentence, or failed.
answer() {
  local code=$1 file=$2
  case $code in
    2) echo "bad-input $(sed -n 's/^pti-check: \([^ ]*plant.elf: \)\?//p' "$file.err")" ;;
    *)
      node -e '
        const text = require("fs").readFileSync(process.argv[1], "utf8");
        const { verdict, property } = text === "" ? { verdict: "failed" } : JSON.parse(text);
        console.log(verdict === "violated" ? property : verdict);' "$file" ;;
  esac
}

# fits ANSWER RIGHT: RIGHT is alternatives between |, and bad-input with a part of its sentence.
fits() {
  local found=$1 one
  local IFS='|'
  for one in $2; do
    case $one in
      bad-input*) [[ $found == bad-input* && $found == *"${one#bad-input }"* ]] && return 0 ;;
      *) [ "$found" = "$one" ] && return 0 ;;
    esac
  done
  return 1
}

# one LINE-OF-THE-TABLE: patches, assembles, fuzzes, prints a line.
one() {
  local name design pcid flags right missing mechanism
  IFS=$'\t' read -r name design pcid flags right missing mechanism <<<"$1"
  local folder=$work/$name
  mkdir "$folder"
  cp -r "$work/guest" "$folder/guest"
  if ! patch -s -p1 -d "$folder/guest" <"$plants/$name.patch" >"$folder/patch.log" 2>&1; then
    echo "$name: WRONG: the patch no longer fits: $(tr '\n' ' ' <"$folder/patch.log")"
    return 1
  fi
  (cd "$folder/guest/$design" &&
    as --64 -mx86-used-note=no -I ../kernel --defsym PTI=1 --defsym PCID="$pcid" -o "$folder/plant.o" entry.S &&
    ld -static -nostdlib --build-id=none -z max-page-size=4096 -z noexecstack -T ../kernel/linker.ld -o "$folder/plant.elf" "$folder/plant.o")
  local code=0 found verdict=ok began=$SECONDS
  # shellcheck disable=SC2086
  node "$main" fuzz --entry "$folder/plant.elf" --design "$design" $flags --workers 1 --save "$folder/found" --json \
    >"$folder/answer" 2>"$folder/answer.err" || code=$?
  found=$(answer "$code" "$folder/answer")
  if [ "$missing" = - ]; then
    fits "$found" "$right" || verdict=WRONG
    echo "$name: right: $right; found: ${found:0:200}; $verdict ($((SECONDS - began)) s)"
  else
    # The right answer cannot be had yet. As soon as the answer is another one, the table has to be looked at.
    fits "$found" "${missing%%:*}" || verdict="WRONG: no longer the answer of a missing feature; mend plants.tsv"
    echo "$name: right: $right; found: ${found:0:200}; missing:${missing#*:}; $verdict ($((SECONDS - began)) s)"
  fi
  rm -rf "$folder"
  [ "$verdict" = ok ]
}

if [ "${1:-}" = --one ]; then
  work=$2
  one "$3"
  exit
fi

for tool in as ld patch; do
  if ! command -v "$tool" >/dev/null; then
    echo "NOT RUN: plants were not checked, because there is no $tool (Debian: apt-get install binutils patch)"
    exit 0
  fi
done
if ! as --64 -o /dev/null /dev/null >/dev/null 2>&1; then
  echo 'NOT RUN: plants were not checked, because as does not assemble for x86-64'
  exit 0
fi

npm run --silent build
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/guest"
cp -r emulator/guest/*/ "$work/guest/"
rm -rf "$work/guest/plants" "$work"/guest/*/*.elf

chosen() {
  local line name
  while IFS= read -r line; do
    [[ $line == \#* ]] && continue
    [ $# -gt 0 ] || printf '%s\0' "$line"
    for name in "$@"; do
      if [[ $line == "$name"* ]]; then printf '%s\0' "$line"; fi
    done
  done <"$plants/plants.tsv"
}

count=$(chosen "$@" | tr -cd '\0' | wc -c)
if [ "$count" -eq 0 ]; then
  echo "expected names of plants, found none in $plants/plants.tsv that begin with: $*" >&2
  exit 2
fi
if chosen "$@" | xargs -0 -n 1 -P "$at_once" "$0" --one "$work"; then
  echo "$count plants: all answers are right"
else
  echo 'plants: some answers are WRONG' >&2
  exit 1
fi
