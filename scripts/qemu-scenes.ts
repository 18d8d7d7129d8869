/**
 * Random sequences of privileged instructions, with random page tables, descriptors, stacks, flags and events, beside
 * QEMU. Run by scripts/qemu-scenes.sh.
 */
import yargs from 'yargs';
import { ACCEPTED_DIFFERENCES } from '../emulator/oracle/accepted-differences';
import { ACCEPTED_DIVERGENCES } from '../emulator/oracle/accepted-divergences';
import { Qemu } from '../emulator/oracle/qemu';
import { drawSequence } from '../emulator/oracle/scenes/random-scene';
import { SceneRun } from '../emulator/oracle/scenes/scene-run';
import { hexVa } from '../emulator/words';
import { randomStream } from '../properties/exploration/seeded-random';
import { alignedTable } from '../properties/report/aligned-table';
import { describeDifferences, otherVersion, PROGRAM, versionOrNotRun } from './qemu-options';
import { runScript } from './run-script';

const SCRIPT = 'scripts/qemu-scenes.sh';

async function main(): Promise<number> {
  const { sequences, from, length, seed } = await yargs(process.argv.slice(2))
    .scriptName(SCRIPT)
    .usage('$0 [options]\n\nCompares random privileged sequences with QEMU, step by step.')
    .option('sequences', { type: 'number', default: 400 })
    .option('from', { type: 'number', default: 0, describe: 'number of the first sequence' })
    .option('length', {
      type: 'number',
      default: 12,
      describe: 'instructions of a sequence; as many again to handle events',
    })
    .option('seed', { type: 'string', default: '1' })
    .strict()
    .version(false)
    .parseAsync();
  const version = versionOrNotRun();
  if (version === undefined) return 0;
  console.log(`${sequences} sequences with ${version}, seed ${seed}`);
  const started = performance.now();
  const counts = new Map<string, number>();
  const add = (name: string, count = 1) => counts.set(name, (counts.get(name) ?? 0) + count);
  const qemu = await Qemu.start(PROGRAM);
  let code = 0;
  try {
    const run = new SceneRun(qemu);
    for (let i = from; i < from + sequences && code === 0; i++) {
      const { end, steps, events, faults, accepted } = await run.run(
        drawSequence(randomStream(`${seed} ${i}`), length),
      );
      add('steps', steps);
      add('events', events);
      add('faults', faults);
      for (const [name, count] of accepted) add(name, count);
      add(end.kind === 'diverged' ? end.name : end.kind);
      if (end.kind !== 'difference') continue;
      code = 1;
      console.log(`sequence ${i}, step ${end.step} at ${hexVa(run.last?.from.va ?? 0)}: the machines differ`);
      console.log(describeDifferences(end.differences).join('\n'));
      console.log(`again: ${SCRIPT} --seed ${seed} --length ${length} --from ${i} --sequences 1`);
      const other = otherVersion(version);
      if (other !== undefined) console.log(other);
    }
  } finally {
    qemu.stop();
  }
  console.log(table(counts, (performance.now() - started) / 1000).join('\n'));
  return code;
}

function table(counts: ReadonlyMap<string, number>, seconds: number): string[] {
  const count = (name: string) => `${counts.get(name) ?? 0}`;
  const rows = [
    ['steps', count('steps')],
    ['NMIs and IRQs', count('events')],
    ['faults', count('faults')],
    ...ACCEPTED_DIFFERENCES.map(({ name }) => [`accepted: ${name}`, count(name)]),
    ['sequences to their end', count('done')],
    ['ended by a shutdown or a halt', count('stopped')],
    ['ended by what the emulator refuses', count('refused')],
    ...ACCEPTED_DIVERGENCES.map(({ name }) => [`ended, accepted: ${name}`, count(name)]),
    ['unexplained differences', count('difference')],
    ['steps a second', `${Math.round((counts.get('steps') ?? 0) / seconds)}`],
  ];
  return alignedTable(['', 'count'], ['left', 'right'], rows);
}

runScript(main);
