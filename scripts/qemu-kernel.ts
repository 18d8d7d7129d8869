/** A Linux kernel, booted in the emulator, beside QEMU in epochs. Run by scripts/qemu-kernel.sh. */
import path from 'node:path';
import yargs from 'yargs';
import { readKernelImage } from '../emulator/linux/image/kernel-image';
import { readCpuFeatures } from '../emulator/linux/platform/cpu-features';
import { readWorkload } from '../emulator/linux/workload/workload';
import { KernelEpochs } from '../emulator/oracle/kernel-epochs';
import { Qemu } from '../emulator/oracle/qemu';
import { hexVa } from '../emulator/words';
import { randomStream } from '../properties/exploration/seeded-random';
import { bootKernel } from '../properties/linux/kernel-boot';
import { alignedTable } from '../properties/report/aligned-table';
import { describeDifferences, PROGRAM, versionOrNotRun } from './qemu-options';
import { runScript } from './run-script';

const SCRIPT = 'scripts/qemu-kernel.sh';
/** What QEMU has, too. */
const FEATURES = 'no-pcid,no-invpcid';
const MEMORY = 128;
/** QEMU's own, above that of the kernel, in bytes. */
const SCRATCH = 8 << 20;

async function main(): Promise<number> {
  const options = await yargs(process.argv.slice(2))
    .scriptName(SCRIPT)
    .usage('$0 IMAGE [options]\n\nCompares a booted Linux kernel with QEMU, which its own program keeps busy.')
    .option('steps', { type: 'number', default: 1_000_000 })
    .option('seed', { type: 'string', default: '1' })
    .option('length', { type: 'number', default: 300, describe: 'mean steps of an epoch that does not end before' })
    .option('irq-rate', { type: 'number', default: 0.1, describe: 'probability of a timer interrupt before an epoch' })
    // A kernel reports each NMI on its console, which takes some 6,000 steps.
    .option('nmi-rate', { type: 'number', default: 0.001, describe: 'probability of an NMI before an epoch' })
    .demandCommand(1, 1)
    .strict()
    .version(false)
    .parseAsync();
  const version = versionOrNotRun();
  if (version === undefined) return 0;
  const image = readKernelImage(`${options._[0]}`);
  const workload = readWorkload(path.join(__dirname, '../emulator/linux/workload'));
  const boot = { commandLine: '', features: readCpuFeatures(FEATURES), cpus: 1, memoryMiB: MEMORY };
  const { linux, end, reason } = bootKernel(image, workload, boot, () => {});
  if (end !== 'ready') throw new Error(`expected the kernel's program to be ready, found ${end}: ${reason}`);
  console.log(`${image.name} with ${version}, seed ${options.seed}`);
  const qemu = await Qemu.start(PROGRAM, { ramBytes: (MEMORY << 20) + SCRATCH });
  try {
    const started = performance.now();
    const { steps, seed, length, irqRate, nmiRate } = options;
    const run = new KernelEpochs(linux.machine, qemu, { steps, random: randomStream(seed), length, irqRate, nmiRate });
    const found = await run.go();
    console.log(table(run, found?.length ?? 0, (performance.now() - started) / 1000).join('\n'));
    if (found === undefined) return 0;
    console.log(`in the epoch that ends at ${hexVa(linux.machine.cpus[0].rip())}:`);
    console.log(describeDifferences(found).join('\n'));
    return 1;
  } finally {
    qemu.stop();
  }
}

function table({ counts, divergences, imitation }: KernelEpochs, differences: number, seconds: number): string[] {
  const rows: [string, number][] = [
    ['steps', counts.steps],
    ['of them of the emulator alone', counts.alone],
    ['epochs', counts.epochs],
    ['returns to user mode', counts.returns],
    ['IRQs', imitation.deliveries('irq')],
    ['NMIs', imitation.deliveries('nmi')],
    ['faults', imitation.deliveries('fault')],
    ['halts', counts.halts],
    ['comparisons of all RAM', counts.wholeComparisons],
    ...[...imitation.accepted(), ...divergences].map(([name, count]): [string, number] => [`accepted: ${name}`, count]),
    ['unexplained differences', differences],
    ['steps a second', Math.round(counts.steps / seconds)],
  ];
  return alignedTable(
    ['', 'count'],
    ['left', 'right'],
    rows.map(([name, count]) => [name, `${count}`]),
  );
}

runScript(main);
