/**
 * States a second of the compiled search on the real model, each run in a process of its own: allocation, growth of the
 * table, start of the threads and of the JIT are inside the clock; the translation is, too, the first time after an
 * edit. Plain Node on the built files: `npm run build && node dist/model/checker/compiled/compiled.bench.js [design]
 * [threads] [bounds as JSON, over the default ones] [repetitions]`
 */
import { execFileSync } from 'node:child_process';
import { DEFAULT_BOUNDS, entryModel } from '../../entry-model';
import { exploreCompiled } from './explore-compiled';

/** About 6 million states of mainline and 12 million of deferred-pertask. */
const LARGE = { nmis: 2, irqs: 3 };
const MEMORY_MIB = 6144;

interface Measured {
  readonly verdict: string;
  readonly states: number;
  readonly transitions: number;
  readonly milliseconds: number;
  readonly residentMiB: number;
}

function measure(design: string, threads: number, bounds: object): Measured {
  const model = entryModel(design, { ...DEFAULT_BOUNDS, ...bounds });
  if (model === undefined) throw new Error(`no design ${design}`);
  const started = performance.now();
  const { verdict, states, transitions } = exploreCompiled(model, { threads, memoryMiB: MEMORY_MIB });
  const milliseconds = Math.round(performance.now() - started);
  return { verdict, states, transitions, milliseconds, residentMiB: Math.round(process.resourceUsage().maxRSS / 1024) };
}

function line(design: string, threads: number, bounds: object, runs: readonly Measured[]): string {
  const sorted = [...runs].sort((a, b) => a.milliseconds - b.milliseconds);
  const { verdict, states, transitions, milliseconds, residentMiB } = sorted[Math.floor(sorted.length / 2)];
  const rate = (states / milliseconds / 1000).toFixed(2);
  const bytes = ((residentMiB * 2 ** 20) / states).toFixed(0);
  return `${design} ${JSON.stringify(bounds)}, ${threads} thread(s): ${verdict}, ${states} states, ${transitions} transitions, ${milliseconds} ms, ${rate} M states/s, ${bytes} bytes a state (whole process)`;
}

function inProcess(design: string, threads: number, bounds: object): Measured {
  const args = [...process.execArgv, __filename, '--once', design, String(threads), JSON.stringify(bounds)];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as Measured;
}

function compare(design: string, threads: readonly number[], bounds: object, repetitions: number): void {
  // In turn, so that a busy minute of the machine hits all alike.
  const rounds = Array.from({ length: repetitions }, () => threads.map((count) => inProcess(design, count, bounds)));
  for (const [i, count] of threads.entries())
    console.log(
      line(
        design,
        count,
        bounds,
        rounds.map((round) => round[i]),
      ),
    );
}

function main([design, threads, bounds, repetitions = '3']: readonly string[]): void {
  const counts = threads === undefined ? [1, 2] : threads.split(',').map(Number);
  if (design !== undefined) return compare(design, counts, JSON.parse(bounds ?? '{}') as object, Number(repetitions));
  for (const each of ['mainline', 'deferred-pertask'])
    for (const size of [{}, LARGE]) compare(each, counts, size, Number(repetitions));
}

const [flag, ...rest] = process.argv.slice(2);
if (flag === '--once') console.log(JSON.stringify(measure(rest[0], Number(rest[1]), JSON.parse(rest[2]) as object)));
else main(process.argv.slice(2));
