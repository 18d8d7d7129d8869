/**
 * Ctrl-C (or a polite kill) asks the work to stop, and the command answers with what it has. A second Ctrl-C ends the
 * process, with the exit code of what was found until then.
 */
import { NO_VERDICT } from './exit-codes';
import { note } from './output';

/**
 * One Ctrl-C arrives twice where a parent (npm, timeout) passes it on to a child that the terminal has told already.
 */
const SAME_PRESS_MS = 700;

const SIGNALS = ['SIGINT', 'SIGTERM'] as const;

/** Work that ends early, with what it has, when it is asked to. */
interface Stoppable {
  readonly stopped: boolean;
  stop(): void;
}

/** What a signal does now; undefined until the first work. */
let onSignal: (() => void) | undefined;

/** For good: a signal that comes while the work ends or the answer is being written must not end the process. */
function listen(handler: () => void): void {
  if (onSignal === undefined) for (const signal of SIGNALS) process.on(signal, () => onSignal?.());
  onSignal = handler;
}

/** From now on signals are for this work. */
export function stopOnSignal(work: Stoppable): void {
  let since = Number.POSITIVE_INFINITY;
  listen(() => {
    if (performance.now() - since > SAME_PRESS_MS) process.exit(process.exitCode ?? NO_VERDICT);
    if (work.stopped) return;
    since = performance.now();
    note('interrupted: stopping with what there is (again: at once)');
    work.stop();
  });
}
