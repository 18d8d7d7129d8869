/**
 * `pti-check why`: why each step of a design is there. Each is left out, and exchanged with the step behind it, and the
 * abstract machine is searched for the property that fails first.
 */
import path from 'node:path';
import writeFileAtomic from 'write-file-atomic';
import type { Argv } from 'yargs';
import { probeFolder } from '../../counterexamples/store';
import type { OpenBounds } from '../../model/checker/language/schema-types';
import { designTable } from '../../model/design-config';
import type { DesignTable } from '../../model/designs/design-table';
import { sequencesOf } from '../../model/designs/sequences';
import { exchanged, leftOut, type Variant } from '../../model/designs/variants';
import { BadInputError } from '../bad-input';
import type { WorkerPool } from '../campaign/worker-pool';
import { designText } from '../designs/design-text';
import { type Consequence, isSeen, type WhyRow, whyInWords } from '../report/why-table';
import { type BoundFlags, boundsOf, chosenDesign, expressible, workerCount } from './arguments';
import type { CommandBody } from './command-body';
import { didYouMean } from './did-you-mean';
import { HOLDS, NO_VERDICT } from './exit-codes';
import { boundFlags, jsonFlag, NUMBER, VALUE } from './flags';
import { ProgressLine, say, sayJson, sinceStart } from './output';
import { searchDesign } from './search';
import { reasonFor } from './why-reasons';
import { withPool } from './with-pool';

interface WhyFlags extends BoundFlags {
  readonly design?: string | undefined;
  readonly step?: string | undefined;
  readonly workers?: string | undefined;
  readonly save?: string | undefined;
  readonly json: boolean;
}

const DEFAULT_DESIGN = 'mainline';
const DEFAULT_WORKERS = 2;

/**
 * What a second NMI needs, and nothing else. It is asked for where the bounds of the table show nothing, if these are
 * numbers, or if there is one CPU: where events have no bound, one of them leads on from where a CPU is stuck.
 */
const SECOND_NMI = { nesting: 3, nmis: 2, irqs: 0 } as const;

function options(yargs: Argv): Argv<WhyFlags> {
  return boundFlags(jsonFlag(yargs))
    .option('design', { ...VALUE, describe: `a design, a mutant, or a JSON file of a design (${DEFAULT_DESIGN})` })
    .option('step', { ...VALUE, describe: 'only the steps of this name (all)' })
    .option('workers', { ...NUMBER, describe: `searches at a time (${DEFAULT_WORKERS})` })
    .option('save', {
      ...VALUE,
      describe: 'a folder for the design of each row, so that verify --design FILE replays its trace on the model',
    })
    .example('$0 why --design mainline', 'what fails without each step, as a table')
    .example('$0 why --design my.json --save rows', 'the same for a design of your own, each row as a file')
    .epilog(
      'Each row has the property that fails first, and after how many transitions. Exit code 0: every search came to its end; 3: one did not.',
    ) as unknown as Argv<WhyFlags>;
}

async function why(flags: WhyFlags): Promise<void> {
  const choice = expressible(chosenDesign(flags.design ?? DEFAULT_DESIGN));
  const table = choice.table ?? designTable(choice.design);
  if (table === undefined) throw new BadInputError(`expected a design, found ${choice.design}`);
  const bounds = boundsOf(choice, flags);
  const workers = workerCount(flags.workers, DEFAULT_WORKERS);
  if (flags.save !== undefined) probeFolder(flags.save);
  const variants = variantsOf(table, flags.step);
  const progress = new ProgressLine();
  const [own, consequences] = await withPool(workers, async (pool) => {
    const asked = new Questions(pool, bounds);
    const itself = await asked.consequence({ name: choice.design, table });
    let done = 0;
    const all = await inTurn(workers, variants, async (variant) => {
      const consequence = await asked.consequence({ name: choice.design, table: judgedAlone(variant.table) });
      done++;
      progress.show(() => `why ${choice.design}: ${done} of ${variants.length} searches`);
      return consequence;
    });
    return [itself, all] as const;
  });
  progress.clear();
  if (flags.save !== undefined) save(flags.save, table.name, variants, consequences);
  const rows = rowsOf(table, variants, consequences);
  process.exitCode = consequences.some(({ verdict }) => verdict === 'unknown') ? NO_VERDICT : HOLDS;
  if (flags.json) sayJson({ design: choice.design, bounds, itself: own, rows, seconds: sinceStart() });
  else say(whyInWords({ design: choice.design, bounds, itself: own, rows, second: SECOND_NMI }));
}

/** What is searched: each step left out, and exchanged with the next one. */
function variantsOf(table: DesignTable, step: string | undefined): Variant[] {
  const all = [...leftOut(table), ...exchanged(table)];
  if (step === undefined) return all;
  const asked = all.filter((variant) => variant.step === step);
  if (asked.length > 0) return asked;
  const steps = [...new Set(all.map((variant) => variant.step))];
  throw new BadInputError(
    `expected --step to be one of ${steps.join(', ')}, found ${JSON.stringify(step)}${didYouMean(step, steps)}`,
  );
}

/** S12 fails before the first step, whatever the steps are; without it the steps can be judged. */
function judgedAlone(table: DesignTable): DesignTable {
  return { ...table, kernelDataInUserTable: false };
}

/** Searches, and what they answer. */
class Questions {
  private readonly pool: WorkerPool;
  private readonly bounds: OpenBounds;

  constructor(pool: WorkerPool, bounds: OpenBounds) {
    this.pool = pool;
    this.bounds = bounds;
  }

  async consequence(design: { readonly name: string; readonly table: DesignTable }): Promise<Consequence> {
    const first = await this.search(design, this.bounds);
    if (first.verdict !== 'holds' || (this.bounds.nmis === 'any' && this.bounds.cpus > 1)) return first;
    const bounds = { ...this.bounds, ...SECOND_NMI };
    const second = await this.search(design, bounds);
    return isSeen(second) ? { ...second, bounds } : first;
  }

  private async search({ name, table }: { readonly name: string; readonly table: DesignTable }, bounds: OpenBounds) {
    const { result } = await searchDesign(this.pool, { design: name, table, bounds }, () => {});
    const { verdict, property, trace } = result;
    return {
      verdict,
      ...(property === undefined ? {} : { property }),
      ...(trace === undefined ? {} : { depth: trace.length, trace }),
    };
  }
}

/** Does `work` for each item, `lanes` at a time, and answers in their order. */
async function inTurn<T, R>(lanes: number, items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async () => {
    for (let i = next++; i < items.length; i = next++) results[i] = await work(items[i]);
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return results;
}

function rowsOf(table: DesignTable, variants: readonly Variant[], consequences: readonly Consequence[]): WhyRow[] {
  const find = (sequence: string, place: number, isExchange: boolean) => {
    const at = variants.findIndex(
      (one) => one.sequence === sequence && one.place === place && (one.exchangedWith !== undefined) === isExchange,
    );
    return at < 0 ? undefined : { variant: variants[at], consequence: consequences[at] };
  };
  return sequencesOf(table).flatMap(({ name, steps }) =>
    steps.flatMap((step, place) => {
      const out = find(name, place, false);
      const swapped = find(name, place, true);
      if (out === undefined && swapped === undefined) return [];
      const unseen = out !== undefined && !isSeen(out.consequence);
      return [
        {
          sequence: name,
          step,
          place,
          ...(out === undefined ? {} : { leftOut: out.consequence }),
          ...(swapped === undefined
            ? {}
            : { exchangedWith: swapped.variant.exchangedWith ?? '', exchanged: swapped.consequence }),
          ...(unseen ? { reason: reasonFor(step, name) } : {}),
        },
      ];
    }),
  );
}

/** Each variant as a file that `verify --design` searches; a variant that nothing sees has none. */
function save(folder: string, name: string, variants: readonly Variant[], consequences: readonly Consequence[]): void {
  for (const [i, { sequence, step, exchangedWith, table }] of variants.entries()) {
    if (!isSeen(consequences[i])) continue;
    const bug = exchangedWith === undefined ? `without-${step}` : `${step}-after-${exchangedWith}`;
    const text = designText(table, `${sequence}: ${bug.replaceAll('-', ' ')}`);
    writeFileAtomic.sync(path.join(folder, `${name}--${sequence.replaceAll(' ', '-')}--${bug}.json`), text);
  }
}

export const whyCommand: CommandBody<WhyFlags> = { builder: options, handler: why };
