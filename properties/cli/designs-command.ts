/**
 * `pti-check designs`: what can be checked, what is expected of it, and what it costs.
 */
import type { Argv } from 'yargs';
import { designTable } from '../../model/design-config';
import { BadInputError } from '../bad-input';
import { designText } from '../designs/design-text';
import { DESIGNS, type Design, MUTANTS } from '../designs/registry';
import { grouped } from '../report/numbers';
import { expressible, knownDesign } from './arguments';
import type { CommandBody } from './command-body';
import { extraBytesPerTask, userTablePages } from './design-facts';
import { jsonFlag, VALUE } from './flags';
import { say, sayJson } from './output';

interface DesignsFlags {
  readonly export?: string | undefined;
  readonly json: boolean;
}

function facts(design: Design) {
  const { id, title, expected, property, minimumExtraBytesPerTask, source } = design;
  return {
    id,
    title,
    expected,
    ...(property === undefined ? {} : { property }),
    extraBytesPerTask: extraBytesPerTask(id),
    minimumExtraBytesPerTask,
    userTablePages: userTablePages(id),
    source,
    table: designTable(id),
  };
}

function inWords(design: ReturnType<typeof facts>): string[] {
  const { id, title, expected, property, source } = design;
  const extra = `${grouped(design.extraBytesPerTask)} bytes of stack per task over mainline (at least ${grouped(design.minimumExtraBytesPerTask)})`;
  const mutants = MUTANTS.filter((mutant) => mutant.id.startsWith(`${id}+`));
  return [
    `${id}: ${title}`,
    `  expected  ${expected}${property === undefined ? '' : ` by ${property}`}`,
    `  memory    ${extra}; the user table maps ${grouped(design.userTablePages)} kernel pages`,
    `  source    ${source}`,
    ...(mutants.length === 0
      ? []
      : [
          '  mutants   the design with one planted bug, and the property that catches it:',
          ...mutants.map((mutant) => `              ${mutant.id}: ${mutant.property}`),
        ]),
  ];
}

function designs(flags: DesignsFlags): void {
  if (flags.export !== undefined) {
    process.stdout.write(exported(flags.export));
    return;
  }
  const all = DESIGNS.map(facts);
  if (flags.json) sayJson({ designs: all });
  else say(all.flatMap(inWords));
}

/** A design or mutant of ours as the file of a design. */
function exported(id: string): string {
  const table = designTable(expressible({ design: knownDesign(id) }).design);
  if (table === undefined) throw new BadInputError(`expected a design of the abstract machine, found ${id}`);
  const [, mutant] = id.split('+');
  return designText(table, mutant?.replaceAll('-', ' '));
}

export const designsCommand: CommandBody<DesignsFlags> = {
  builder: (yargs: Argv) =>
    jsonFlag(yargs)
      .option('export', { ...VALUE, describe: 'print the table of this design as a file for --design, to start from' })
      .example(
        '$0 designs --export mainline > my.json',
        'then edit it, and: verify --design my.json',
      ) as unknown as Argv<DesignsFlags>,
  handler: designs,
};
