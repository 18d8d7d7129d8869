/**
 * `pti-check designs`: what can be checked, what is expected of it, and what it costs.
 */
import type { Argv } from 'yargs';
import { DESIGNS, type Design, MUTANTS } from '../designs/registry';
import { grouped } from '../report/numbers';
import type { CommandBody } from './command-body';
import { extraBytesPerTask, userTablePages } from './design-facts';
import { jsonFlag } from './flags';
import { say, sayJson } from './output';

interface DesignsFlags {
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
  const all = DESIGNS.map(facts);
  if (flags.json) sayJson({ designs: all });
  else say(all.flatMap(inWords));
}

export const designsCommand: CommandBody<DesignsFlags> = {
  builder: (yargs: Argv) => jsonFlag(yargs) as unknown as Argv<DesignsFlags>,
  handler: designs,
};
