/** The vectors of the conformance corpus on Bochs. Run by scripts/bochs-conformance.sh. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import yargs from 'yargs';
import { BOCHS_DIVERGENCES, BOCHS_MEMORY, BOCHS_REGISTERS } from '../emulator/oracle/bochs/bochs-differences';
import { Bochs, bochsVersion } from '../emulator/oracle/bochs/bochs-process';
import { BochsReplay } from '../emulator/oracle/bochs/bochs-replay';
import { type CorpusFile, readCorpus } from '../emulator/oracle/conformance/corpus-file';
import { sceneOf } from '../emulator/oracle/conformance/corpus-state';
import { drawVector } from '../emulator/oracle/scenes/random-scene';
import type { Scene } from '../emulator/oracle/scenes/scene';
import { PCID_TEMPLATES, TEMPLATES } from '../emulator/oracle/scenes/scene-templates';
import { randomStream } from '../properties/exploration/seeded-random';
import { alignedTable } from '../properties/report/aligned-table';
import { describeDifferences } from './qemu-options';

const PROGRAM = process.env.BOCHS ?? 'bochs';
const VECTORS = join(__dirname, '../emulator/oracle/conformance/vectors');
/** Whose differences emulator/oracle/bochs/bochs-differences.ts lists. */
const LISTED = '2.7';

const ALONE = 'of kinds that QEMU lacks';

interface Vector {
  readonly name: string;
  readonly scene: Scene;
  /** QEMU cannot be asked. */
  readonly alone: boolean;
}

/** One of `share` vectors of the corpus, but all that QEMU lacks; then `random` new ones of each kind. */
function* vectorsOf(kind: string, share: number, random: number, seed: string): Generator<Vector> {
  for (const path of readdirSync(VECTORS)) {
    const file: CorpusFile = readCorpus(readFileSync(join(VECTORS, path)));
    if (!file.kind.includes(kind)) continue;
    for (const [i, vector] of file.vectors.entries()) {
      const alone = vector.qemu === 'not compared';
      if (alone || i % share === 0) yield { name: vector.name, scene: sceneOf(file, vector), alone };
    }
  }
  for (const template of [...TEMPLATES, ...PCID_TEMPLATES]) {
    if (!template.name.includes(kind)) continue;
    const alone = PCID_TEMPLATES.includes(template);
    for (let i = 0; i < random; i++) {
      const name = `bochs ${seed} ${template.name} ${i}`;
      yield { name, scene: drawVector(randomStream(name), template), alone };
    }
  }
}

async function main(): Promise<number> {
  const { kind, share, random, seed } = await yargs(process.argv.slice(2))
    .scriptName('scripts/bochs-conformance.sh')
    .usage('$0 [options]\n\nCompares the vectors of the conformance corpus with Bochs, step by step.')
    .option('kind', { type: 'string', default: '', describe: 'only kinds that contain this: pcid, iretq' })
    .option('share', {
      type: 'number',
      default: 1,
      describe: 'one of so many vectors, and all that were not compared with QEMU',
    })
    .option('random', { type: 'number', default: 0, describe: 'vectors of each kind that are drawn besides' })
    .option('seed', { type: 'string', default: '1', describe: 'of the vectors that are drawn' })
    .strict()
    .version(false)
    .parseAsync();
  const version = bochsVersion(PROGRAM);
  if (version === undefined) {
    console.log(`NOT RUN: ${PROGRAM} cannot be run (Debian: apt-get install bochs bochs-term)`);
    return 0;
  }
  console.log(`vectors of the conformance corpus, and random ones of seed ${seed}, with ${version}`);
  const counts = new Map<string, number>();
  const add = (name: string) => counts.set(name, (counts.get(name) ?? 0) + 1);
  const bochs = await Bochs.start(PROGRAM);
  // Without an end of its own it would run on.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  const started = performance.now();
  const wrong: string[] = [];
  try {
    const replay = BochsReplay.on(bochs);
    for (const { name, scene, alone } of vectorsOf(kind, share, random, seed)) {
      const { differences, accepted, end } = await replay.run(scene);
      for (const row of accepted) add(row);
      add('vectors');
      if (alone) add(ALONE);
      if (end !== 'done') add(end);
      if (differences.length > 0) wrong.push(name, ...describeDifferences(differences, 'Bochs'));
    }
  } finally {
    bochs.stop();
  }
  const seconds = (performance.now() - started) / 1000;
  const rows = ['vectors', ALONE, 'diverged', 'cut', 'stopped', 'refused'].map((name) => [
    name,
    `${counts.get(name) ?? 0}`,
  ]);
  for (const { name } of [...BOCHS_REGISTERS, ...BOCHS_MEMORY, ...BOCHS_DIVERGENCES])
    rows.push([`accepted: ${name}`, `${counts.get(name) ?? 0}`]);
  rows.push(['unexplained', wrong.length === 0 ? '0' : 'see below'], ['seconds', seconds.toFixed(0)]);
  console.log(alignedTable(['', 'count'], ['left', 'right'], rows).join('\n'));
  if (wrong.length === 0) return 0;
  console.log(wrong.join('\n'));
  if (!version.endsWith(LISTED)) console.log(`the differences were written down for Bochs ${LISTED}`);
  return 1;
}

main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => {
    console.error(`${error.name}: ${error.message}`);
    process.exitCode = 1;
  },
);
