/**
 * `node -r esbuild-register scripts/check-symbols.ts [RUNS [SEED]]`: takes the manifest symbols of each safe image
 * away, one at a time. An image without a required one is refused by its name; without an optional one it is called
 * wrong by no property in RUNS random walks (100) and says what is unchecked. A line for each symbol; exit code 1 if
 * one is wrong.
 */
import { readFileSync } from 'node:fs';
import { readElf } from '../emulator/elf/elf-image';
import { campaignRun } from '../properties/campaign/run';
import { Subject } from '../properties/campaign/subject';
import { imageFile } from '../properties/designs/images';
import { ManifestError } from '../properties/guest/manifest';
import { unchecked } from '../properties/refinement/unchecked';
import { withoutSymbol } from '../properties/testing/stripped-image';

const SAFE = ['mainline', 'deferred-pertask', 'asm-return'];
const [runs = '100', seed = '1'] = process.argv.slice(2);

function verdict(design: string, symbol: string): { text: string; ok: boolean } {
  let subject: Subject;
  try {
    const bytes = withoutSymbol(readFileSync(imageFile(design)), symbol);
    subject = new Subject({ design, elf: { name: `${design} without ${symbol}`, bytes } });
  } catch (error) {
    if (!(error instanceof ManifestError)) throw error;
    return { text: 'required, and named', ok: error.message.includes(symbol) };
  }
  const missed = unchecked(subject.guest.manifest).map(({ property }) => property);
  for (let run = 0; run < Number(runs); run++) {
    const { failed } = campaignRun(subject, seed, run);
    if (failed !== undefined) return { text: `run ${run}: ${failed.walk.failure?.message}`, ok: false };
  }
  return { text: `holds; unchecked: ${missed.join(', ') || 'NOTHING'}`, ok: missed.length > 0 };
}

let wrong = 0;
for (const design of SAFE) {
  const symbols = [...readElf(readFileSync(imageFile(design)), design).symbols].map(([name]) => name);
  for (const symbol of symbols.filter((name) => name.startsWith('manifest.'))) {
    const { text, ok } = verdict(design, symbol);
    if (!ok) wrong++;
    console.log(`${ok ? 'ok   ' : 'WRONG'} ${design} without ${symbol}: ${text}`);
  }
}
console.log(wrong === 0 ? 'every symbol may be missing, or is named' : `${wrong} symbols are WRONG`);
process.exitCode = wrong === 0 ? 0 : 1;
