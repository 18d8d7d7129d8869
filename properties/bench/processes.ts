/**
 * Each measurement has a process of its own, because the engine's inline caches are shared within one: a monitor beside
 * a null observer would slow both. The processes live through the whole benchmark and take turns, so that a slow moment
 * of the machine hits all of them.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { MEASUREMENTS, type Round } from './measurements';

/** Rounds before the first that counts: the engine compiles what is hot. */
const WARM_UP = 2;

type Answer = { readonly value: number } | { readonly error: string };

/** Rounds of every measurement, in the order of MEASUREMENTS. */
export async function measureAll(main: string, rounds: number, progress: (text: string) => void): Promise<number[][]> {
  const values: number[][] = MEASUREMENTS.map(() => []);
  const children = MEASUREMENTS.map((_, i) => fork(main, ['--measurement', `${i}`]));
  try {
    for (let round = -WARM_UP; round < rounds; round++) {
      for (const [i, child] of children.entries()) {
        progress(`${round < 0 ? 'warm-up' : `round ${round + 1} of ${rounds}`}: ${MEASUREMENTS[i].name}`);
        const value = await ask(child);
        if (round >= 0) values[i].push(value);
      }
    }
  } finally {
    for (const child of children) child.disconnect();
  }
  return values;
}

async function ask(child: ChildProcess): Promise<number> {
  child.send('round');
  const [answer] = (await once(child, 'message')) as [Answer];
  if ('error' in answer) throw new Error(answer.error);
  return answer.value;
}

/** The child's side: one measurement, a round for each message. */
export function serve(number: number): void {
  let round: Round | undefined;
  process.on('message', () => void answer().then((found) => process.send?.(found)));
  // What a measurement has started ends with it.
  process.on('disconnect', () => process.exit());

  async function answer(): Promise<Answer> {
    try {
      round ??= await MEASUREMENTS[number].prepare();
      return { value: await round() };
    } catch (error) {
      return { error: `${MEASUREMENTS[number].name}: ${error instanceof Error ? error.message : String(error)}` };
    }
  }
}
