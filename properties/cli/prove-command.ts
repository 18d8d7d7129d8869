/**
 * `pti-check prove`: the abstract machine, for systems of any size.
 */
import type { Argv } from 'yargs';
import { BadInputError } from '../bad-input';
import { designsOf, expressible } from './arguments';
import type { CommandBody } from './command-body';
import { exitCode, gravest } from './exit-codes';
import { designFlag, jsonFlag, VALUE } from './flags';
import { say, sayJson, sinceStart } from './output';
import { type ProveResult, proofInWords, proveDesign } from './proof-result';
import { withPool } from './with-pool';

interface ProveFlags {
  readonly design?: string | undefined;
  readonly cutoff: boolean;
  readonly certificate?: string | undefined;
  readonly json: boolean;
}

function options(yargs: Argv): Argv<ProveFlags> {
  return designFlag(jsonFlag(yargs))
    .option('cutoff', {
      type: 'boolean',
      default: false,
      describe: 'say as well whether 2 CPUs, 3 tasks and 2 address spaces have everything that the proof has',
    })
    .option('certificate', {
      ...VALUE,
      describe: 'write the invariant of the proof to this file, for scripts/check-certificate.sh (docs/certificate.md)',
    })
    .example('$0 prove --design mainline', 'safe with any number of CPUs and any storm of NMIs')
    .example('$0 prove --design deferred-percpu', 'the smallest system that breaks it, and how')
    .example('$0 prove --design my.json', 'a design of your own (docs/your-own-design.md)')
    .epilog(
      'Exit code 0: proved; 1: a property is violated, with a shortest trace at the smallest bounds that show it; 3: neither could be shown. docs/proof.md says what a proof covers.',
    ) as unknown as Argv<ProveFlags>;
}

async function prove(flags: ProveFlags): Promise<void> {
  const { certificate: file } = flags;
  if (file !== undefined && flags.design === undefined)
    throw new BadInputError('expected --design beside --certificate, found none: a certificate is of one design');
  const more = { cutoff: flags.cutoff, ...(file === undefined ? {} : { certificate: file }) };
  const requests = designsOf(flags.design).map((choice) => ({ ...expressible(choice), ...more }));
  const results = await withPool(1, async (pool) => {
    const all: ProveResult[] = [];
    for (const request of requests) all.push(await proveDesign(pool, request));
    return all;
  });
  answer(flags, results);
}

function answer(flags: ProveFlags, results: readonly ProveResult[]): void {
  // What one waits for is the process, with everything that it has to load first.
  const timed = results.length === 1 ? results.map((result) => ({ ...result, seconds: sinceStart() })) : results;
  process.exitCode = gravest(timed.map(({ verdict }) => exitCode(verdict)));
  if (!flags.json) say(timed.flatMap(proofInWords));
  else if (flags.design === undefined) sayJson({ results: timed });
  else sayJson(timed[0]);
}

export const proveCommand: CommandBody<ProveFlags> = {
  builder: options,
  handler: prove,
};
