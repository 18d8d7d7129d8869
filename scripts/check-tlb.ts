/**
 * The TLB against an ideal one: `node -r esbuild-register scripts/check-tlb.ts [OPERATIONS [SEED]]`. Random changes of
 * page tables, large pages, accesses, INVLPG, INVPCID, MOV CR3 and CR4, marks and rollbacks, 1,000,000 of them if
 * nothing is said; an answer that neither the page tables nor a translation that may be held gives is exit code 1.
 */
import { TlbTrial } from '../emulator/testing/tlb-trial';
import { randomStream } from '../properties/exploration/seeded-random';

/** Operations on one machine. */
const RUN = 50_000;

const operations = Number(process.argv[2] ?? 1_000_000);
const seed = process.argv[3] ?? '1';
if (!Number.isInteger(operations) || operations < 1) {
  console.error(`expected a whole number of operations above 0, found ${process.argv[2]}`);
  process.exit(2);
}

let accesses = 0;
let stale = 0;
console.log(`${operations} operations, seed ${seed}`);
for (let done = 0; done < operations; done += RUN) {
  const trial = new TlbTrial(randomStream(`${seed} ${done}`));
  const wrong = trial.run(Math.min(RUN, operations - done));
  accesses += trial.accesses;
  stale += trial.stale;
  if (wrong === undefined) continue;
  console.log(`run from operation ${done} on: ${wrong}`);
  process.exitCode = 1;
  break;
}
console.log(`${accesses} accesses, ${stale} of them by a stale translation`);
