#!/usr/bin/env bash
# Proves that the linter enforces the import arrows: plants imports in an empty copy of the folders and compares what biome.json says
# about each with what the arrows say. A rule that never refuses anything looks exactly like a rule that is obeyed.
set -euo pipefail
cd "$(dirname "$0")/.."

biome="$PWD/node_modules/.bin/biome"
copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
cp biome.json "$copy/"
planted=0

# plant_at refused|allowed FILE STATEMENT: one file, one statement; one run of the linter judges them all.
plant_at() {
  planted=$((planted + 1))
  mkdir -p "$(dirname "$copy/$2")"
  printf '%s\n' "$3" >"$copy/$2"
  printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$copy/expected"
}

# plant refused|allowed FOLDER FILE STATEMENT: each in a folder of its own.
plant() {
  plant_at "$1" "$2/planted-$((planted + 1))/$3" "$4"
}

# What each folder may import of ours: model <- counterexamples <- properties -> model, emulator.
arrows() {
  case $1 in
    properties) echo 'model emulator counterexamples' ;;
    counterexamples) echo 'model' ;;
  esac
}

folders='model emulator counterexamples properties'
for from in $folders; do
  for to in $folders scripts; do
    if [ "$from" = "$to" ]; then continue; fi
    if [[ " $(arrows "$from") " == *" $to "* ]]; then verdict=allowed; else verdict=refused; fi
    plant "$verdict" "$from" x.ts "import { x } from '../../$to/y'; x();"
    plant "$verdict" "$from" x.test.ts "import { x } from '../../$to/y'; x();"
    plant "$verdict" "$from" deep/x.ts "import { x } from '../../../$to/some/where/y'; x();"
    plant "$verdict" "$from" x.ts "import type { X } from '../../$to/y'; export const x: X = 1;"
    plant "$verdict" "$from" x.ts "export { x } from '../../$to/y';"
    plant "$verdict" "$from" x.ts "export const x = () => import('../../$to/y');"
    plant refused "$from" x.ts "export const x = require('../../$to/y');"
  done
  plant allowed "$from" x.ts "import { x } from './y'; x();"
  plant allowed "$from" x.ts "import { x } from '../elsewhere/y'; x();"
  plant refused "$from" x.ts "import seedrandom from 'seedrandom'; seedrandom();"
done

# model/checker is a model checker that knows no CPU; its tests search the abstract machine all the same.
for part in entry-model design-config designs/mainline kinds rules rules/entry property-names invariants schema rule-files; do
  plant refused model/checker x.ts "import { x } from '../../$part'; x();"
  plant refused model/checker deep/x.ts "import type { X } from '../../../$part'; export const x: X = 1;"
  plant allowed model/checker x.test.ts "import { x } from '../../$part'; x();"
  plant allowed model x.ts "import { x } from '../$part'; x();"
done
plant allowed model x.ts "import { x } from '../checker/model'; x();"
plant allowed model/checker x.ts "import { x } from '../language/schema-types'; x();"
plant refused model/checker x.ts "import { x } from '../../../properties/y'; x();"
plant refused model/checker x.ts "import { x } from '../../../emulator/y'; x();"

# emulator/ is a tower: a folder imports those below it, the ground (files beside the folders) and nothing above.
tower='memory mmu cpu system decode'
below=''
for from in $tower; do
  for to in $tower; do
    if [[ " $below $from " == *" $to "* ]]; then verdict=allowed; else verdict=refused; fi
    plant "$verdict" "emulator/$from" x.ts "import { x } from '../../$to/y'; x();"
    plant "$verdict" "emulator/$from" x.ts "import type { X } from '../../$to/y'; export const x: X = 1;"
    plant allowed "emulator/$from" x.test.ts "import { x } from '../../$to/y'; x();"
  done
  for above in machine boot step execute fetch snapshots disassemble elf/y linux/boot/y oracle/y testing/y; do
    plant refused "emulator/$from" x.ts "import { x } from '../../$above'; x();"
  done
  for ground in words registers hash unimplemented micro-op observer platform extended-state step-result; do
    plant allowed "emulator/$from" x.ts "import { x } from '../../$ground'; x();"
  done
  plant refused "emulator/elf" x.ts "import { x } from '../../$from/y'; x();"
  plant allowed "emulator/oracle" x.ts "import { x } from '../../$from/y'; x();"
  plant allowed "emulator/linux" x.ts "import { x } from '../../$from/y'; x();"
  below="$below $from"
done
plant allowed emulator/oracle x.ts "import { x } from '../../elf/y'; x();"
plant refused emulator/oracle x.ts "import { x } from '../../testing/y'; x();"
# A whole kernel: above the machine and the ELF reader, below the oracle.
for above in oracle testing; do
  plant refused emulator/linux x.ts "import { x } from '../../$above/y'; x();"
  plant refused emulator/linux/boot x.ts "import { x } from '../../../$above/y'; x();"
done
for below in machine boot elf/y linux/platform/y; do
  plant allowed emulator/linux/boot x.ts "import { x } from '../../../$below'; x();"
  plant allowed emulator/oracle x.ts "import { x } from '../../$below'; x();"
done
plant allowed emulator/linux/boot x.test.ts "import { x } from '../../../testing/y'; x();"
plant refused emulator/elf x.ts "import { x } from '../../linux/image/y'; x();"
plant refused emulator/linux x.ts "import { x } from '../../../properties/y'; x();"
# The ground knows a CPU by its type only, the machine all that is below it.
plant_at allowed emulator/micro-op.ts "import type { X } from './cpu/cpu'; export const x: X = 1;"
plant_at allowed emulator/observer.ts "import type { X } from './cpu/cpu'; export const x: X = 1;"
plant_at refused emulator/hash.ts "import { x } from './cpu/flags'; x();"
plant_at refused emulator/platform.ts "import { x } from './system/y'; x();"
plant_at refused emulator/extended-state.ts "import { x } from './cpu/flags'; x();"
plant_at refused emulator/registers.ts "import { x } from './machine'; x();"
plant_at refused emulator/step-result.ts "import { x } from './system/y'; x();"
plant_at refused emulator/unimplemented.ts "import { x } from './decode/y'; x();"
plant_at refused emulator/words.ts "import { x } from './memory/y'; x();"
plant_at allowed emulator/fetch.ts "import { x } from './decode/y'; x();"
plant_at refused emulator/boot.ts "import { x } from './elf/y'; x();"
plant_at refused emulator/step.ts "import { x } from './oracle/y'; x();"
plant_at refused emulator/machine.ts "import { x } from './testing/y'; x();"
plant_at allowed emulator/machine.test.ts "import { x } from './testing/y'; x();"
plant_at allowed emulator/machine.bench.ts "import { x } from './testing/y'; x();"
# A kernel image is read beside the tower, as an ELF file is: with the ELF reader, the decoder and the ground.
for part in elf/y decode/y words registers unimplemented linux/image/y; do
  plant allowed emulator/linux/image x.ts "import { x } from '../../../$part'; x();"
done
for part in memory/y mmu/y cpu/y system/y machine boot step oracle/y testing/y ../properties/y ../model/y; do
  plant refused emulator/linux/image x.ts "import { x } from '../../../$part'; x();"
done
plant allowed emulator/linux/image x.test.ts "import { x } from '../testing/y'; x();"
for from in emulator/cpu emulator/system emulator/decode emulator/elf; do
  plant refused "$from" x.ts "import { x } from '../../linux/image/y'; x();"
done
# properties/ is a tower: a floor imports the floors below it, and no neighbour on its own. Tests may look up.
tower=('guest designs' 'ghost' 'safety' 'monitor' 'refinement' 'trace' 'exploration shrinking' 'campaign' 'report' 'testing library bench cli')
top=$((${#tower[@]} - 1))
for ((i = 0; i <= top; i++)); do
  for from in ${tower[i]}; do
    for ((j = 0; j <= top; j++)); do
      for to in ${tower[j]}; do
        if [ "$from" = "$to" ]; then continue; fi
        if [ "$j" -lt "$i" ] || [ "$i" = "$top" ]; then verdict=allowed; else verdict=refused; fi
        plant "$verdict" "properties/$from" x.ts "import { x } from '../../$to/y'; x();"
        plant "$verdict" "properties/$from" deep/x.ts "import type { X } from '../../../$to/y'; export const x: X = 1;"
        plant allowed "properties/$from" x.test.ts "import { x } from '../../$to/y'; x();"
      done
    done
    plant allowed "properties/$from" x.ts "import { BadInputError } from '../../bad-input'; throw new BadInputError('x');"
    plant refused "properties/$from" x.ts "import { x } from '../../../scripts/y'; x();"
    plant refused "properties/$from" x.ts "import seedrandom from 'seedrandom'; seedrandom();"
  done
done

# Every random stream has one origin.
plant allowed properties seeded-random.ts "import seedrandom from 'seedrandom'; seedrandom();"
plant refused properties seeded-random.ts "import { x } from '../../scripts/y'; x();"
plant refused model seeded-random.ts "import seedrandom from 'seedrandom'; seedrandom();"

report=$(cd "$copy" && "$biome" lint --reporter=github --max-diagnostics=none . 2>&1) || true
mistakes=0
while IFS=$'\t' read -r expected file statement; do
  found=allowed
  if grep -qE "lint/style/(noRestrictedImports|noCommonJs),file=([^,]*/)?$file," <<<"$report"; then found=refused; fi
  if [ "$found" != "$expected" ]; then
    echo "check-arrows: expected biome.json to have this $expected, found it $found: $file: $statement" >&2
    mistakes=$((mistakes + 1))
  fi
done <"$copy/expected"

if [ "$mistakes" -gt 0 ]; then
  echo "check-arrows: $mistakes of $planted planted imports are judged wrongly; mend the overrides in biome.json" >&2
  exit 1
fi
echo "import arrows: all $planted planted imports are judged as ARCHITECTURE.md says"
