/**
 * Promises: a manifest symbol is required, and an image without it is refused by name, or it is optional, and a safe
 * image without it is called wrong by no property; what is not checked any more is said.
 */
import { readFileSync } from 'node:fs';
import { type ElfImage, readElf } from '../../emulator/elf/elf-image';
import { Subject } from '../campaign/subject';
import { imageFile } from '../designs/images';
import { Coverage, SCENARIOS, sweep } from '../exploration/sweep';
import { unchecked } from '../refinement/unchecked';
import { ManifestError } from './manifest';
import '../testing/jest';
import { withoutSymbol } from '../testing/stripped-image';

/** The design with every kind of stack. The others: scripts/check-symbols.ts. */
const DESIGN = 'deferred-pertask';
const RUNS = 2;

/** Of the symbols that say where a stack or a page lies, the first: without any of them the others say nothing. */
function manifestSymbols(image: ElfImage): string[] {
  const names = [...image.symbols].map(([name]) => name).filter((name) => name.startsWith('manifest.'));
  return names.filter((name) => !/\.(size|stride|end)$/.test(name));
}

/** The image without the symbol, booted; undefined where it is refused, which names the symbol. */
function stripped(design: string, symbol: string): Subject | undefined {
  const bytes = withoutSymbol(readFileSync(imageFile(design)), symbol);
  try {
    return new Subject({ design, elf: { name: 'stripped', bytes } });
  } catch (error) {
    expect(error).toBeInstanceOf(ManifestError);
    expect((error as Error).message).toContain(symbol);
    return undefined;
  }
}

test(`${DESIGN} holds without any one of its optional symbols, and says what is unchecked`, () => {
  const optional: string[] = [];
  for (const symbol of manifestSymbols(readElf(readFileSync(imageFile(DESIGN)), DESIGN))) {
    const subject = stripped(DESIGN, symbol);
    if (subject === undefined) continue;
    optional.push(symbol);
    expect(subject).toPass({ seed: symbol, runs: RUNS });
    const said = unchecked(subject.guest.manifest).map((one) => one.symbol);
    expect([symbol, said.some((name) => symbol.startsWith(name.replace('NAME', '')))]).toEqual([symbol, true]);
  }
  expect(optional).toEqual(
    expect.arrayContaining([
      'manifest.percpu.top_of_stack',
      'manifest.percpu.sp2',
      'manifest.iret.return_to_user',
      'manifest.nmi_handler',
      'manifest.repeat_nmi',
      'manifest.end_repeat_nmi',
      'manifest.panic',
      'manifest.leaves_entry_stack_before_sti',
      'manifest.body_stacks',
      'manifest.stack.irq.base',
      'manifest.stack.pti.base',
      'manifest.pages.idt.start',
    ]),
  );
});

test.each(['manifest.nmi_handler', 'manifest.repeat_nmi', 'manifest.iret.return_to_user'])(
  'NMIs inside an NMI call nothing wrong without %s',
  (symbol) => {
    const subject = stripped('mainline', symbol);
    if (subject === undefined) throw new Error(`${symbol} is required`);
    const nested = SCENARIOS.filter((scenario) => scenario.start === 'nmi');
    expect(sweep(subject.system, new Coverage(), undefined, nested).failure).toBeUndefined();
  },
);
