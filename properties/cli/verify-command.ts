/**
 * `pti-check verify`: the abstract machine, exhaustively.
 */
import type { Argv } from 'yargs';
import { type BoundFlags, boundsOf, designsOf, expressible, memoryMiB, threadCount } from './arguments';
import type { CommandBody } from './command-body';
import { exitCode, gravest } from './exit-codes';
import { boundFlags, designFlag, jsonFlag, NUMBER } from './flags';
import { ProgressLine, say, sayJson, sinceStart } from './output';
import { searchDesign, searchProgress, searchResult } from './search';
import type { Searched } from './search-result';
import { withPool } from './with-pool';

interface VerifyFlags extends BoundFlags {
  readonly design?: string | undefined;
  readonly threads?: string | undefined;
  readonly memory?: string | undefined;
  readonly symmetry: boolean;
  readonly por: boolean;
  readonly json: boolean;
}

function options(yargs: Argv): Argv<VerifyFlags> {
  return boundFlags(designFlag(jsonFlag(yargs)))
    .option('memory', {
      ...NUMBER,
      describe: 'MiB that the states may take (2048); when they are full the answer is "unknown"',
    })
    .option('threads', { ...NUMBER, describe: 'threads of the search (1); the answer is the same with any number' })
    .option('symmetry', {
      type: 'boolean',
      default: false,
      describe: 'keep one of the states that differ only in which CPU, task or address space is which',
    })
    .option('por', {
      type: 'boolean',
      default: false,
      describe: 'leave out interleavings that cannot matter (partial-order reduction)',
    })
    .example('$0 verify --design mainline', 'every interleaving of 2 CPUs and 2 tasks')
    .example('$0 verify --design deferred-percpu', 'the shortest way to break it')
    .example('$0 verify --design my.json', 'a design of your own (docs/your-own-design.md)')
    .example('$0 verify --design mainline --nesting 2 --nmis 2 --irqs 3', 'events that are counted; with the depth')
    .example('$0 verify --design mainline --tasks 3 --mms 2 --threads 2', 'what bare pti-check searches, on both cores')
    .example('$0 verify --design mainline --cpus 1 --mms 2', 'one CPU, but a change of address space at every switch')
    .epilog(
      'Prints the shortest trace to a violation. Exit code 0: every reachable state is fine; 1: a property is violated; 3: no verdict.',
    ) as unknown as Argv<VerifyFlags>;
}

async function verify(flags: VerifyFlags): Promise<void> {
  const how = {
    memoryMiB: memoryMiB(flags.memory),
    threads: threadCount(flags.threads),
    symmetry: flags.symmetry,
    por: flags.por,
  };
  const requests = designsOf(flags.design).map((choice) => ({
    ...expressible(choice),
    bounds: boundsOf(choice, flags),
    ...how,
  }));
  const progress = new ProgressLine();
  // One after the other: --memory is a promise about the process.
  const searched = await withPool(1, async (pool) => {
    const all: Searched[] = [];
    for (const request of requests)
      all.push(await searchDesign(pool, request, (p) => progress.show(() => searchProgress(request.design, p))));
    return all;
  });
  progress.clear();
  answer(flags, searched);
}

function answer(flags: VerifyFlags, searched: readonly Searched[]): void {
  // What one waits for is the process, with everything that it has to load first.
  const whole = searched.length === 1 ? { seconds: sinceStart() } : {};
  const timed = searched.map((one) => ({ ...one, result: { ...one.result, ...whole } }));
  const results = timed.map(({ result }) => result);
  process.exitCode = gravest(results.map((result) => exitCode(result.verdict)));
  if (!flags.json) say(timed.flatMap(searchResult().searchInWords));
  else if (flags.design === undefined) sayJson({ results });
  else sayJson(results[0]);
}

export const verifyCommand: CommandBody<VerifyFlags> = {
  builder: options,
  handler: verify,
};
