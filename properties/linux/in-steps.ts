/**
 * Work that pauses often and goes on when it is asked to: a worker does it at once, and a thread that has to hear
 * signals lets its event loop turn in between.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** Pauses wherever it yields, every few milliseconds. */
export type InSteps<T> = Generator<undefined, T, undefined>;

/** Between two turns of the event loop, in milliseconds: less than a person notices. */
const BETWEEN_TURNS_MS = 20;

/** Does all of it at once. */
export function finished<T>(work: InSteps<T>): T {
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
  }
}

/** Does all of it, and lets signals and timers come in between. */
export async function finishedInTurns<T>(work: InSteps<T>): Promise<T> {
  let since = performance.now();
  for (;;) {
    const step = work.next();
    if (step.done) return step.value;
    if (performance.now() - since < BETWEEN_TURNS_MS) continue;
    await nextTurn();
    since = performance.now();
  }
}
