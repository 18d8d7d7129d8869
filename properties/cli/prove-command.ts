/**
 * `pti-check prove`: the abstract machine, for systems of any size.
 */
import type { Argv } from 'yargs';
import { designsOf, expressible } from './arguments';
import type { CommandBody } from './command-body';
import { exitCode, gravest } from './exit-codes';
import { designFlag, jsonFlag } from './flags';
import { say, sayJson, sinceStart } from './output';
import { type ProveResult, proofInWords, proveDesign } from './proof-result';
import { prepareForProof, withPool } from './with-pool';

interface ProveFlags {
  readonly design?: string | undefined;
  readonly json: boolean;
}

function options(yargs: Argv): Argv<ProveFlags> {
  return designFlag(jsonFlag(yargs))
    .example('$0 prove --design mainline', 'safe with any number of CPUs and any storm of NMIs')
    .example('$0 prove --design deferred-percpu', 'the smallest system that breaks it, and how')
    .example('$0 prove --design my.json', 'a design of your own (docs/your-own-design.md)')
    .epilog(
      'Exit code 0: proved; 1: a property is violated, with a shortest trace at the smallest bounds that show it; 3: neither could be shown. docs/proof.md says what a proof covers.',
    ) as unknown as Argv<ProveFlags>;
}

async function prove(flags: ProveFlags): Promise<void> {
  const requests = designsOf(flags.design).map(expressible);
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
  prepare: prepareForProof,
};
