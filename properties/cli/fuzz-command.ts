/**
 * `pti-check fuzz`: random interleavings and sweeps, on the emulator.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Argv } from 'yargs';
import { probeFolder } from '../../counterexamples/store';
import { BadInputError } from '../bad-input';
import { DEFAULT_RUNS, SHRINKING_OVERRUN, SHRINKING_SECONDS } from '../campaign/dispatch';
import { checkImage } from '../campaign/open-subject';
import { loadProperties } from '../campaign/property-file';
import type { SubjectName } from '../campaign/subject';
import { defaultWorkers } from '../campaign/worker-pool';
import {
  type BootFlags,
  bootOf,
  budget,
  chosenDesign,
  type DesignChoice,
  designsOf,
  knownImage,
  shard,
  workerCount,
} from './arguments';
import type { CommandBody } from './command-body';
import { exitCode, gravest, HOLDS } from './exit-codes';
import { bootFlags, designFlag, jsonFlag, NUMBER, propertyFlag, VALUE } from './flags';
import { campaignProgress, type Fuzzed, fuzzInWords, fuzzSubject } from './fuzzing';
import { note, ProgressLine, say, sayJson, sinceStart } from './output';
import { withPool } from './with-pool';

/** Where counterexamples go unless one says otherwise. */
export const DEFAULT_SAVE = 'pti-check-found';

/** The design that a user's own image is judged against unless one says otherwise. */
const DEFAULT_JUDGE = 'mainline';

const MAX_IMAGE_BYTES = 16 * 1024 * 1024;

interface FuzzFlags extends BootFlags {
  readonly design?: string | undefined;
  readonly entry?: string | undefined;
  readonly seed?: string | undefined;
  readonly runs?: string | undefined;
  readonly seconds?: string | undefined;
  readonly workers?: string | undefined;
  readonly shard?: string | undefined;
  readonly property?: readonly string[] | undefined;
  readonly save: string;
  readonly json: boolean;
}

function options(yargs: Argv): Argv<FuzzFlags> {
  return propertyFlag(bootFlags(designFlag(jsonFlag(yargs))))
    .option('entry', {
      ...VALUE,
      describe: `check this ELF in place of the image of the design (of ${DEFAULT_JUDGE}, without --design)`,
    })
    .option('seed', { ...VALUE, describe: 'any text; the same seed gives the same result (random, and printed)' })
    .option('runs', { ...NUMBER, describe: `number of random runs for each design (${DEFAULT_RUNS})` })
    .option('seconds', { ...NUMBER, describe: 'as many whole runs as fit into this time, for each design' })
    .option('workers', { ...NUMBER, describe: `threads (${defaultWorkers()}); the result does not depend on them` })
    .option('shard', {
      ...VALUE,
      describe: 'I/N: only the runs r with r mod N = I-1, so that N machines share a campaign',
    })
    .option('save', { ...VALUE, default: DEFAULT_SAVE, describe: 'folder for counterexamples' })
    .example('$0 fuzz --design deferred-percpu', 'finds, shrinks and saves the trace that breaks it')
    .example('$0 fuzz --design mainline --seconds 600', 'ten minutes of interleavings')
    .example('$0 fuzz --property my-property.mjs', 'a property of your own (docs/your-own-property.md says how)')
    .example('$0 fuzz --entry my.elf --design asm-return', 'an image of your own (emulator/guest/README.md says how)')
    .epilog(
      'Random runs, which stop at the first that fails, and between them one directed walk for each situation that a campaign must reach; then an NMI and an IRQ at every instruction boundary. ' +
        `A failure is saved as soon as it is found, and again when it is shrunk; shrinking ends with what it has when it was interrupted, ${100 * SHRINKING_OVERRUN} % after the end of --seconds, or after ${SHRINKING_SECONDS} s. ` +
        'Exit code 0: nothing failed; 1: a property is violated; 4: the code did what its abstract machine does not allow; 5: a situation was not reached.',
    ) as unknown as Argv<FuzzFlags>;
}

/** A seed for a campaign that was given none; it is printed, so that the campaign can be repeated. */
export function freshSeed(): string {
  return randomBytes(4).toString('hex');
}

/** Today, as counterexample files date themselves. */
export function today(): string {
  return new Date().toISOString().slice(0, 10);
}

function subjectsOf(flags: FuzzFlags): SubjectName[] {
  if (flags.entry === undefined) return designsOf(flags.design).map((choice) => ownImage(choice, flags));
  const { design, ...table } = chosenDesign(flags.design ?? DEFAULT_JUDGE);
  const bytes = readImage(flags.entry);
  const boot = bootOf(checkImage(flags.entry, bytes), flags);
  if (flags.design === undefined) note(`${flags.entry} is judged as ${design}; --design says which design it follows`);
  return [{ design, ...table, elf: { name: flags.entry, bytes }, boot }];
}

/** A design and the image that we have of it. */
function ownImage({ design, table }: DesignChoice, flags: FuzzFlags): SubjectName {
  if (table === undefined) return { design, boot: bootOf(knownImage(design), flags) };
  throw new BadInputError(
    `expected --entry with the machine code of ${design}, found none; a design in a file has no image of its own (verify checks the design alone)`,
  );
}

function readImage(file: string): Uint8Array {
  try {
    const stat = statSync(file);
    if (stat.isFile() && stat.size <= MAX_IMAGE_BYTES) return readFileSync(file);
  } catch {
    // The same sentence for whatever keeps the file from being read.
  }
  throw new BadInputError(
    `expected --entry to be an ELF file of at most ${MAX_IMAGE_BYTES / 2 ** 20} MiB that can be read, found ${JSON.stringify(file)}; check its name and permissions`,
  );
}

async function fuzz(flags: FuzzFlags): Promise<void> {
  const plan = {
    budget: budget(flags.runs, flags.seconds),
    shard: shard(flags.shard),
    seed: flags.seed ?? freshSeed(),
    date: today(),
  };
  const workers = workerCount(flags.workers, defaultWorkers());
  const properties = (flags.property ?? []).map((file) => path.resolve(file));
  await loadProperties(properties);
  const own = properties.length === 0 ? {} : { properties };
  const subjects = subjectsOf(flags).map((subject) => ({ ...subject, ...own }));
  probeFolder(flags.save);
  const progress = new ProgressLine();
  const fuzzed = await withPool(workers, async (pool) => {
    // Before anything can go wrong.
    note(`seed ${plan.seed}`);
    const all: Fuzzed[] = [];
    for (const subject of subjects) {
      const design = subject.design;
      all.push(
        await fuzzSubject(
          pool,
          { subject, ...plan },
          flags.save,
          (p) => progress.show(() => `${campaignProgress(design, p)} (seed ${plan.seed})`),
          (line, verdict) => {
            progress.clear();
            note(line);
            // Also if a second Ctrl-C ends the process without an answer.
            process.exitCode = gravest([Number(process.exitCode ?? HOLDS), exitCode(verdict)]);
          },
        ),
      );
    }
    return all;
  });
  progress.clear();
  answer(flags, fuzzed, flags.design === undefined && flags.entry === undefined);
}

function answer(flags: FuzzFlags, fuzzed: readonly Fuzzed[], several: boolean): void {
  const results = fuzzed.map(({ result }) => result);
  process.exitCode = gravest(results.map((result) => exitCode(result.verdict)));
  if (!flags.json) say(fuzzed.flatMap(fuzzInWords));
  else if (several) sayJson({ results });
  else sayJson({ ...results[0], seconds: sinceStart() });
}

export const fuzzCommand: CommandBody<FuzzFlags> = {
  builder: options,
  handler: fuzz,
};
