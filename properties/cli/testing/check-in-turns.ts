/**
 * For tests: a check of the small kernel in the thread of the command line, until somebody interrupts. `endless` is one
 * whose work does not stop when it is asked to. Prints what was checked, as JSON, and ends with its exit code.
 */
import { PerformerInTurns } from '../../campaign/kernel-task';
import type { Answers, KernelTask } from '../../campaign/tasks';
import { sweepInSteps } from '../../linux/event-sweep';
import type { InSteps } from '../../linux/in-steps';
import { KernelSystem } from '../../linux/kernel-system';
import type { KernelSource } from '../../linux/open-kernel';
import { runInSteps } from '../../linux/random-interleaving';
import { SweptCode } from '../../linux/swept-code';
import { NMI_BODY, SMALL_CODE, SMALL_PROGRAM, smallKernel } from '../../linux/testing/small-kernel';
import { checkExitCode, checkKernel } from '../kernel-checking';
import { note } from '../output';
import { stopOnSignal } from '../stop-on-signal';

const system = new KernelSystem(smallKernel(), SMALL_PROGRAM, NMI_BODY);
const code = new SweptCode(SMALL_CODE);
const isEndless = process.argv[2] === 'endless';

function* perform(task: KernelTask, shouldStop: () => boolean): InSteps<Answers[KernelTask['kind']]> {
  if (task.kind === 'kernel-sweep') return yield* sweepInSteps(system, code, task.excursion, shouldStop);
  if (task.kind !== 'kernel-run') throw new RangeError(`expected a sweep or a run, found ${task.kind}`);
  note('a run begins');
  return yield* runInSteps(system, task.seed, isEndless ? () => false : shouldStop, Number.POSITIVE_INFINITY);
}

async function check(): Promise<void> {
  const performer = new PerformerInTurns(perform);
  stopOnSignal(performer);
  const source = { name: 'small' } as KernelSource;
  const runs = { seed: 'any', budget: { runs: 1 } };
  const result = await checkKernel(performer, source, [{ name: 'first', round: 0 }], runs, () => {});
  process.stdout.write(JSON.stringify({ swept: result.excursions.length, runs: result.runs.length }));
  process.exitCode = checkExitCode(result);
}

void check();
