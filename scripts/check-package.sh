#!/usr/bin/env bash
# Is the package that npm would publish whole? Packs it, installs the tarball in an empty folder, as its user would, and runs every command there.
# Prints one line a command; exit 1 if one does not end as expected. Needs a built dist/ and npm.
set -euo pipefail
cd "$(dirname "$0")/.."
clone=$PWD
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

tarball=$(npm pack --silent --ignore-scripts --pack-destination "$folder")
mkdir "$folder/project"
cd "$folder/project"
echo '{ "name": "a-project", "private": true }' >package.json
npm install --no-audit --no-fund --prefer-offline --loglevel=error "$folder/$tarball" >/dev/null </dev/null
echo "ok    npm install $tarball: $(du -sm node_modules | cut -f1) MB with what it depends on"

bad=0
report() { # VERDICT WHAT
  echo "$1  $2"
  [ "$1" = 'ok  ' ] || bad=$((bad + 1))
}

# What was printed by the last command, in two files.
out=$folder/out
err=$folder/err

# expect CODE PATTERN WORDS...: runs `npx pti-check WORDS`; it has to exit with CODE and print a line with PATTERN.
expect() {
  local code=$1 pattern=$2 got=0
  shift 2
  npx --no -- pti-check "$@" >"$out" 2>"$err" </dev/null || got=$?
  if [ "$got" = "$code" ] && grep -Eq -e "$pattern" "$out"; then
    report 'ok  ' "$(cut -c 1-100 <<<"pti-check $*")"
  else
    report FAIL "pti-check $*: expected exit code $code and \"$pattern\", found exit code $got and:"
    tail -n 5 "$out" "$err"
  fi
}

expect 0 '^[0-9]+\.[0-9]+\.[0-9]+' --version
expect 0 'pti-check verify' --help
expect 0 '^mainline: ' designs
# The first search translates the rules; the second finds the translation.
expect 0 'holds in every reachable state' verify --design mainline
expect 0 'holds in every reachable state' verify --design mainline
expect 0 'proved for any number of CPUs' prove --design mainline --cutoff
expect 0 '"met":5785,"of":5785' prove --design mainline --cutoff --json
expect 0 '^proctype|^init|^active' export --to promela --design asm-return
expect 0 '^startstate' export --to murphi
expect 0 '^aag ' export --to aiger
expect 1 'scheduled-out-on-own-stack is violated' fuzz --design deferred-percpu --seed 1 --save found
expect 0 'reproduced, scheduled-out-on-own-stack' replay --step found/*.json
expect 0 'reproduced' replay node_modules/pti-check/counterexamples/corpus/*.json
expect 0 'Every design came out as declared' --seed 1

# The lines that a person copies name a command that there is.
if grep -q 'npx pti-check fuzz --design deferred-percpu' "$out"; then report 'ok  ' 'its hints begin with npx'; else report FAIL 'its hints do not begin with npx'; fi

# A design of one's own, from the table of one of ours to a verdict; why its steps are there; and a wrong step.
npx --no -- pti-check designs --export mainline | sed 's/"mainline"/"my-own"/; /"read-cr3-into-rsp",/d' >my.json
expect 0 'my.json: holds in every reachable state' verify --design my.json
expect 0 'load-user-cr3 +S2 after' why --design my.json --step load-user-cr3 --cpus 1 --tasks 1
sed '0,/"load-kernel-cr3",/{//d}; s/"my-own"/"my-bug", "plantedBug": "CR3 stays"/' my.json >my-bug.json
expect 1 'accesses-are-mapped is violated' verify --design my-bug.json

# What a program imports, and the matchers in a test of Jest.
cat >library.test.js <<'JS'
const { design, editDesign, image, verify } = require('pti-check');
const { explore } = require('pti-check/checker');
require('pti-check/jest');
test('the library', () => {
  expect(verify('deferred-percpu').property).toBe('scheduled-out-on-own-stack');
  expect(design('my.json')).toHold({ cpus: 1 });
  expect(editDesign(design('mainline'), [{ leaveOut: 'load-user-cr3', of: ['irq iret'] }])).not.toHold({ cpus: 1 });
  expect(image('node_modules/pti-check/emulator/guest/mainline/mainline.elf')).toRefine('mainline', { seed: 'a', runs: 3 });
  const cases = require('node:fs').readdirSync('found');
  expect(`found/${cases[0]}`).toReplay();
  expect(typeof explore).toBe('function');
});
JS
if "$clone/node_modules/.bin/jest" --rootDir "$PWD" >"$out" 2>&1; then
  report 'ok  ' "require('pti-check'), pti-check/checker, pti-check/jest"
else
  report FAIL 'a test of Jest with the matchers fails:'
  tail -n 30 "$out"
fi

# The types are those of the JavaScript: a program that reads a saved case.
cat >reader.ts <<'TS'
import { type DesignTable, defineDesign, verify } from 'pti-check';
import type { Model } from 'pti-check/checker';
export const check = (table: DesignTable, model: Model<{ failed: number }>) => [verify(defineDesign(table)).trace, model.rules];
import { type Action, parseCounterexample } from 'pti-check/dist/counterexamples/schema';
export const actions: Action[] = parseCounterexample('', 'case.json').actions;
TS
if "$clone/node_modules/.bin/tsc" --noEmit --strict --skipLibCheck --module node16 --target es2022 reader.ts; then
  report 'ok  ' 'tsc finds the types'
else
  report FAIL 'tsc does not find the types'
fi

# A property of one's own: the file of docs/your-own-property.md, which holds of our image; one that nothing fulfils is found.
awk '$0 == "```js file=cr4-is-pinned.mjs" { on = 1; next } /^```$/ { on = 0 } on' "$clone/docs/your-own-property.md" >cr4-is-pinned.mjs
sed 's/cr4-is-pinned/no-bit-is-clear/; s/const PINNED = .*/const PINNED = -1;/' cr4-is-pinned.mjs >impossible.mjs
expect 0 'mainline: held in every run' fuzz --design mainline --runs 5 --seed p --property cr4-is-pinned.mjs
expect 1 'no-bit-is-clear' fuzz --design mainline --runs 5 --seed p --property impossible.mjs --save impossible
expect 0 'reproduced, no-bit-is-clear' replay --property impossible.mjs impossible/*.json

# A machine of one's own with the model checker: the files of docs/model-checker.md, as they stand there.
mkdir machine
cd machine
for file in peterson.ts run.ts; do
  awk -v heading="\`\`\`ts file=$file" '$0 == heading { on = 1; next } /^```$/ { on = 0 } on' "$clone/docs/model-checker.md" >$file
done
tsc=("$clone/node_modules/.bin/tsc" --strict --skipLibCheck --module node16 --target es2022 --typeRoots "$clone/node_modules/@types" --types node)
"${tsc[@]}" run.ts >"$out" 2>&1 && node run.js >>"$out" 2>&1 || true
printed=$(awk '/^prints$/ { seen = 1 } seen && /^```$/ { on = !on; if (!on) exit; next } on' "$clone/docs/model-checker.md")
if [ -n "$printed" ] && [ "$(cat "$out")" = "$printed" ]; then
  report 'ok  ' "docs/model-checker.md: Peterson's algorithm, searched"
else
  report FAIL "docs/model-checker.md: expected what the page says that it prints, found:"
  tail -n 10 "$out"
fi
states=$(grep -Eo '^compiled .* [0-9]+ states' "$out" | grep -Eo '[0-9]+ states' || true)
if ! command -v spin >/dev/null || ! command -v gcc >/dev/null; then
  echo 'NOT RUN  the exported machine in SPIN, because spin or gcc is not installed (Debian: apt-get install spin gcc)'
elif spin -o2 -a peterson.pml >"$out" 2>&1 && gcc -w -DSAFETY -DNOREDUCE -o pan pan.c >>"$out" 2>&1 && ./pan -m1000 >>"$out" 2>&1 &&
  grep -q 'errors: 0' "$out" && grep -Eq "^ +$states, stored" "$out"; then
  report 'ok  ' "docs/model-checker.md: SPIN finds no error in the exported machine, and $states as well"
else
  report FAIL "docs/model-checker.md: expected SPIN to find no error in the exported machine, and $states, found:"
  tail -n 20 "$out"
fi

[ "$bad" = 0 ]
