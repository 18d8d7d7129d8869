/**
 * What is wrong with a table before anything is searched: a step that can never be taken where it stands, a body on a
 * stack that nothing loaded, a way back that does not undo the way in. A planted bug may have any of these; a design
 * that somebody writes down should not.
 */
import { CR3_WINDOW, STACK_NAMES, USER } from '../kinds';
import { type DesignTable, SWITCH_STEPS } from './design-table';
import { type Environment, type Followed, followDesign } from './environments';
import { type Sequence, type Step, sequencesOf } from './sequences';

/** One fault, and where it is: `sequence` is a name of `sequencesOf`, `step` the place in it. */
export interface DesignFault {
  /** `irq enter`, `kernel nmi return`, ... */
  readonly sequence: string;
  /** Its place in the sequence, from 0. */
  readonly step: number;
  /** What is wrong, and what would be right. */
  readonly message: string;
}

const GS = ["the kernel's", "the user's"];
const HALF = ['the kernel half', 'the user half'];

function inWords({ half, gs, stack }: Environment): string {
  return `CR3 is on ${HALF[half]}, GS is ${GS[gs]}, rsp is in the stack ${STACK_NAMES[stack]}`;
}

const LAST_STEPS: readonly Step[] = ['enter-body', 'sysret', 'iret-to-user', 'iret-to-kernel', 'nmi-iret-to-kernel'];

/** Every fault of a table, in the order of its sequences. Empty for a table that can be searched. */
export function checkDesign(table: DesignTable): DesignFault[] {
  const followed = followDesign(table);
  return sequencesOf(table).flatMap((sequence) =>
    sequence.name === 'context-switch'
      ? switchFaults(sequence)
      : pathFaults(
          sequence,
          followed.filter(({ steps }) => steps === sequence.steps),
          table,
        ),
  );
}

function pathFaults({ name, steps }: Sequence, followed: readonly Followed[], table: DesignTable): DesignFault[] {
  const faults: DesignFault[] = [];
  const fault = (step: number, message: string) => faults.push({ sequence: name, step, message });
  const wanted = lastSteps(name);
  const last = steps.at(-1);
  if (last === undefined || !wanted.includes(last))
    fault(
      Math.max(steps.length - 1, 0),
      `expected ${wanted.join(' or ')} as the last step, found ${last ?? 'no step'}`,
    );
  const early = steps.slice(0, -1).findIndex((step) => LAST_STEPS.includes(step));
  if (early >= 0) fault(early, `expected ${steps[early]} at the end only: what follows it is never reached`);
  for (const [step, word] of steps.entries()) {
    if (followed.some(({ taken }) => taken[step])) continue;
    // A restoring step is there for a design whose NMI may find the user half or the user's GS.
    const [example] = followed;
    if (example !== undefined)
      fault(step, `${word} can never be taken here, because it changes nothing: ${inWords(example.before[step])}`);
  }
  for (const one of followed) {
    const end = endFault(one, table);
    if (end !== undefined) {
      fault(steps.length - 1, end);
      break;
    }
  }
  return faults;
}

function lastSteps(name: string): Step[] {
  if (name.endsWith(' enter')) return ['enter-body'];
  if (name === 'kernel nmi return') return ['nmi-iret-to-kernel'];
  return name.endsWith(' return') ? ['iret-to-kernel'] : ['sysret', 'iret-to-user'];
}

/** What is wrong with the environment in which the last step stands. */
function endFault({ steps, fromUser, found, before }: Followed, table: DesignTable): string | undefined {
  const last = steps.at(-1);
  const at = before.at(-1);
  if (last === undefined || at === undefined) return undefined;
  if (last === 'enter-body')
    return fromUser && (at.stack === USER || at.stack === CR3_WINDOW)
      ? `the body runs on a stack that nothing loaded: ${inWords(at)}`
      : undefined;
  const half = fromUser ? table.pageTables - 1 : (found?.half ?? 0);
  const gs = fromUser ? 1 : (found?.gs ?? 0);
  if (at.half !== half || at.gs !== gs)
    return `${last} does not undo the entry: expected CR3 on ${HALF[half]} and GS ${GS[gs]}, but ${inWords(at)}`;
  if (last === 'sysret' && at.stack !== USER) return `sysret needs load-user-rsp before it: ${inWords(at)}`;
  if (last === 'iret-to-user' && at.stack === USER) return `iret-to-user needs its frame on a stack: ${inWords(at)}`;
  return undefined;
}

function switchFaults({ name, steps }: Sequence): DesignFault[] {
  const order = SWITCH_STEPS.filter((step) => steps.includes(step));
  const wrong = steps.findIndex((step, i) => step !== order[i]);
  const missing = ['switch-mm', 'switch-to', 'release-cpu', 'set-current'].find(
    (step) => !steps.includes(step as Step),
  );
  if (missing !== undefined) return [{ sequence: name, step: 0, message: `expected a step ${missing}` }];
  if (wrong < 0) return [];
  const message = `expected the order ${order.join(', ')}, found ${steps[wrong]} at place ${wrong + 1}`;
  return [{ sequence: name, step: wrong, message }];
}
