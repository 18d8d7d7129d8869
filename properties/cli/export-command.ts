/**
 * `pti-check export`: the abstract machine of a design on standard output, as a model of SPIN or of Murphi, as a
 * circuit in AIGER, or as the JavaScript that `verify` runs.
 */
import type { Argv } from 'yargs';
import { toJavaScript } from '../../model/checker/compiled/javascript';
import { EXPORT_LANGUAGES, type ExportLanguage, exportModel } from '../../model/checker/translate/export';
import { DEFAULT_BOUNDS, entryModel } from '../../model/entry-model';
import { BadInputError } from '../bad-input';
import { MACHINE_BOUNDS, searchBounds } from '../designs/bounds';
import { type BoundFlags, boundsOf, chosenDesign, expressible } from './arguments';
import type { CommandBody } from './command-body';
import { boundFlags, designFlag, VALUE } from './flags';

interface ExportFlags extends BoundFlags {
  readonly to: string;
  readonly design?: string | undefined;
}

const DEFAULT_DESIGN = 'mainline';
const JAVASCRIPT = 'javascript';

function options(yargs: Argv): Argv<ExportFlags> {
  return boundFlags(designFlag(yargs), DEFAULT_BOUNDS)
    .option('to', {
      ...VALUE,
      choices: [...EXPORT_LANGUAGES, JAVASCRIPT],
      demandOption: true,
      describe: 'the language of the other model checker; javascript: the code that verify runs',
    })
    .option('design', {
      ...VALUE,
      describe: `a design, or a mutant such as mainline+sti-on-trampoline (${DEFAULT_DESIGN})`,
    })
    .example('$0 export --to promela --design asm-return', 'for SPIN; the first lines say how to run it')
    .example('$0 export --to murphi --cpus 1 --nesting 3', 'for rumur, at other bounds')
    .example('$0 export --to aiger --nmis any --irqs any', 'as a sequential circuit, for what reads AIGER')
    .epilog(
      'The states and transitions that the other checker counts are those of pti-check verify at the same bounds.',
    ) as unknown as Argv<ExportFlags>;
}

function exportDesign({ to, design = DEFAULT_DESIGN, ...flags }: ExportFlags): void {
  const choice = expressible(chosenDesign(design));
  // Numbers: another checker goes through the states one by one, and a person is to read the code.
  const bounds = boundsOf(choice, flags, searchBounds(choice.design, MACHINE_BOUNDS));
  const model = entryModel(choice.table ?? design, bounds);
  if (model === undefined) throw new BadInputError(`expected a design of the abstract machine, found ${design}`);
  process.stdout.write(
    to === JAVASCRIPT ? toJavaScript(model, design) : exportModel(model, design, to as ExportLanguage),
  );
}

export const exportCommand: CommandBody<ExportFlags> = {
  builder: options,
  handler: exportDesign,
};
