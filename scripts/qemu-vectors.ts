/** Vectors of single instructions beside QEMU. Run by scripts/qemu-vectors.sh. */
import yargs from 'yargs';
import { Qemu } from '../emulator/oracle/qemu';
import { FORMS, VectorDraw } from '../emulator/oracle/vectors/random-vector';
import { VectorBatches } from '../emulator/oracle/vectors/vector-batch';
import {
  explainVector,
  OUT_NAMES,
  readVector,
  VECTOR_DIFFERENCES,
  type Vector,
} from '../emulator/oracle/vectors/vector-differences';
import { BATCH, IN_SIZE, OUT_SIZE } from '../emulator/oracle/vectors/vector-layout';
import { randomStream } from '../properties/exploration/seeded-random';
import { alignedTable } from '../properties/report/aligned-table';
import { otherVersion, PROGRAM, versionOrNotRun } from './qemu-options';
import { runScript } from './run-script';

const SCRIPT = 'scripts/qemu-vectors.sh';
/** Batches that begin with the same memory and a stream of numbers of their own. */
const GROUP = 64;

async function main(): Promise<number> {
  const { instances, seed, from } = await yargs(process.argv.slice(2))
    .scriptName(SCRIPT)
    .usage('$0 [options]\n\nCompares single instructions at CPL 3 with QEMU.')
    .option('instances', { type: 'number', default: 100_000, describe: `rounded up to batches of ${BATCH}` })
    .option('from', { type: 'number', default: 0, describe: `number of the first group of ${GROUP} batches` })
    .option('seed', { type: 'string', default: '1' })
    .strict()
    .version(false)
    .parseAsync();
  const version = versionOrNotRun();
  if (version === undefined) return 0;
  const batches = Math.ceil(instances / BATCH);
  console.log(`${batches} batches of ${BATCH} instructions of ${FORMS.length} forms with ${version}, seed ${seed}`);
  const qemu = await Qemu.start(PROGRAM);
  const started = performance.now();
  const counts = new Map<string, number>();
  let wrong: string[] = [];
  let done = 0;
  try {
    const run = new VectorBatches(qemu);
    let draw = new VectorDraw(randomStream(''));
    for (; done < batches && wrong.length === 0; done++) {
      if (done % GROUP === 0) {
        draw = new VectorDraw(randomStream(`${seed} ${from + done / GROUP}`));
        await run.load();
      }
      wrong = await batch(run, draw, counts);
    }
  } finally {
    qemu.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  const rows = [
    ['instances', `${done * BATCH}`],
    ...VECTOR_DIFFERENCES.map(({ name }) => [`accepted: ${name}`, `${counts.get(name) ?? 0}`]),
    ['unexplained', wrong.length === 0 ? '0' : 'at least 1'],
    ['instances a second', `${Math.round((done * BATCH) / seconds)}`],
  ];
  console.log(alignedTable(['', 'count'], ['left', 'right'], rows).join('\n'));
  if (wrong.length === 0) return 0;
  console.log(wrong.join('\n'));
  console.log(
    `again: ${SCRIPT} --seed ${seed} --from ${from + Math.floor((done - 1) / GROUP)} --instances ${GROUP * BATCH}`,
  );
  const other = otherVersion(version);
  if (other !== undefined) console.log(other);
  return 1;
}

/** What is wrong in a batch, as text; counts what is accepted. */
async function batch(run: VectorBatches, draw: VectorDraw, counts: Map<string, number>): Promise<string[]> {
  const records = Buffer.alloc(BATCH * IN_SIZE);
  for (let i = 0; i < BATCH; i++) draw.write(records, i * IN_SIZE);
  const before = run.save();
  const { ours, theirs, sameMemory } = await run.run(records);
  if (!ours.equals(theirs)) {
    for (let i = 0; i < BATCH; i++) {
      if (ours.compare(theirs, i * OUT_SIZE, (i + 1) * OUT_SIZE, i * OUT_SIZE, (i + 1) * OUT_SIZE) === 0) continue;
      const vector = readVector(records, ours, theirs, i);
      const names = explainVector(vector);
      if (names === undefined) return describe(vector);
      for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  if (sameMemory) return [];
  const i = await run.firstStore(records, before);
  return ['the data pages differ after:', ...describe(readVector(records, ours, theirs, i))];
}

function describe({ bytes, ours, theirs, op }: Vector): string[] {
  const lines = OUT_NAMES.map(
    (name, n) => `  ${name}: emulator 0x${ours[n].toString(16)}, QEMU 0x${theirs[n].toString(16)}`,
  );
  return [`${bytes.subarray(0, op.length).toString('hex')}`, ...lines.filter((_, n) => ours[n] !== theirs[n])];
}

runScript(main);
