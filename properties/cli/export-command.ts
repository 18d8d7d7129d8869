/**
 * `pti-check export`: the place of the Promela and Murphi exports on the command line. They come with the compiled checker (model/translate/).
 */
import type { Argv, CommandModule } from 'yargs';
import { BadInputError } from '../campaign-pool/bad-input';
import { type BoundFlags, boundsOf, expressible, knownDesign } from './arguments';
import { boundFlags, designFlag, VALUE } from './flags';

interface ExportFlags extends BoundFlags {
  readonly to: string;
  readonly design?: string | undefined;
}

function options(yargs: Argv): Argv<ExportFlags> {
  return boundFlags(designFlag(yargs))
    .option('to', {
      ...VALUE,
      choices: ['promela', 'murphi'],
      demandOption: true,
      describe: 'the language of the other model checker',
    })
    .epilog('Not in this version.') as unknown as Argv<ExportFlags>;
}

function exportModel({ to, design = 'mainline', ...flags }: ExportFlags): void {
  boundsOf(expressible(knownDesign(design)), flags);
  throw new BadInputError(
    `expected a version of pti-check with exports, found one without: --to ${to} comes with the compiled checker; use pti-check verify meanwhile`,
  );
}

export const exportCommand: CommandModule<object, ExportFlags> = {
  command: 'export',
  describe: 'print the abstract machine for another model checker (not in this version)',
  builder: options,
  handler: exportModel,
};
