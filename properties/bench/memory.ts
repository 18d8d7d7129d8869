/**
 * `node --expose-gc dist/properties/bench/memory.js [WALKS] [DESIGN]`: the heap of a worker after WALKS (default
 * 10,000) random walks of a campaign and after four times as many, with what they cost. Exit code 1 if it has grown by
 * more than a tenth and 4 MiB in between: a campaign of any length needs the same memory.
 */
import { campaignRun } from '../campaign/run';
import { Subject } from '../campaign/subject';
import { grouped } from '../report/numbers';

const WALKS = 10_000;
const DESIGN = 'mainline';
const MIB = 2 ** 20;
/** What two collections leave behind by chance. */
const SLACK_BYTES = 4 * MIB;

interface Sample {
  readonly walks: number;
  readonly bytes: number;
}

function collected(): number {
  if (globalThis.gc === undefined) throw new Error('expected node --expose-gc, found no gc(); add the flag');
  globalThis.gc();
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function main([walks = String(WALKS), design = DESIGN]: readonly string[]): void {
  const count = Number(walks);
  if (!Number.isInteger(count) || count < 1) throw new RangeError(`expected a number of walks, found ${walks}`);
  const subject = new Subject({ design });
  let actions = 0;
  let run = 0;
  const sampleAfter = (total: number): Sample => {
    const started = performance.now();
    const before = actions;
    for (; run < total; run++) actions += campaignRun(subject, 'memory', run).steps;
    const speed = (actions - before) / ((performance.now() - started) / 1000);
    const bytes = collected();
    console.log(`${grouped(total)} walks: ${(bytes / MIB).toFixed(1)} MiB, ${grouped(speed)} actions/s`);
    return { walks: total, bytes };
  };
  const early = sampleAfter(count);
  const late = sampleAfter(4 * count);
  const isFlat = late.bytes <= early.bytes * 1.1 + SLACK_BYTES;
  console.log(isFlat ? 'flat' : `grown by ${((late.bytes - early.bytes) / MIB).toFixed(1)} MiB`);
  process.exitCode = isFlat ? 0 : 1;
}

main(process.argv.slice(2));
