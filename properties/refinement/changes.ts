/**
 * What a step did, in words: the difference of two abstract states, field by field, in the terms that a reader of entry
 * code thinks in. A field of the schema that is not here would be silently left out of every report, so a test compares
 * the two lists.
 */

import type { Bounds } from '../../model/checker/language/schema-types';
import { threadName } from '../../model/checker/model';
import { USER } from '../../model/kinds';
import type { State } from '../../model/schema';
import { contextName, stackName } from './state-names';

interface Setting {
  readonly bounds: Pick<Bounds, 'cpus' | 'tasks'>;
  /** The design has two page tables an address space. */
  readonly halves: boolean;
}

type CpuField = { [F in keyof State]: State[F] extends number[] ? F : never }[keyof State];

/** Sentence for a change of a per-CPU field from `a` to `b`; `c` is the CPU. */
type CpuWords = (a: number, b: number, c: number, set: Setting, before: State, after: State) => string;

const onOff =
  (on: string, off: string): CpuWords =>
  (_a, b) =>
    b === 1 ? on : off;
const thread =
  (what: string): CpuWords =>
  (a, b, _c, set) =>
    `${what}: ${threadName(set.bounds, a)} -> ${threadName(set.bounds, b)}`;

/** Fields that have one value a CPU, in the order in which they are told. CR3 is told from two fields, see `cr3`. */
export const CPU_FIELDS: Partial<Record<CpuField, CpuWords>> = {
  user: onOff('CPL: 0 -> 3, user mode', 'CPL: 3 -> 0, kernel mode'),
  userGs: onOff('GS: kernel -> user', 'GS: user -> kernel'),
  stack: (a, b, c, set, before, after) =>
    `rsp: ${stackName(a, c, threadName(set.bounds, before.running[c]))} -> ${stackName(b, c, threadName(set.bounds, after.running[c]))}`,
  interrupts: onOff('IF: 0 -> 1, interrupts on', 'IF: 1 -> 0, interrupts off'),
  nmiBlocked: onOff('NMIs are blocked until the next IRET', 'NMIs are no longer blocked'),
  nmiPending: onOff('an NMI is latched: pending until NMIs are no longer blocked', 'the latched NMI is taken'),
  nmiAgain: onOff(
    'an NMI came while one was open: the handler owes another run',
    'the NMI handler makes up for the NMI that came meanwhile',
  ),
  nmiRepeat: onOff('the IRET of the outer NMI may lead to its repeat', 'no repeat of the outer NMI is due any more'),
  running: thread('context switch, rsp loaded from threadsp'),
  current: thread('current'),
  top: thread('top_of_stack'),
  sp0: thread('TSS.sp0'),
};

/** Told as `CR3: ...`. */
export const CR3_FIELDS = ['userHalf', 'mm'] as const;
/** Told as contexts that open, change or close. */
export const CONTEXT_FIELDS = [
  'depth',
  'kind',
  'body',
  'fromUser',
  'fromUserHalf',
  'fromUserGs',
  'fromInterrupts',
  'fromStack',
  'frame',
] as const;
/** Told as stack pointers that wait in threadsp. */
export const THREAD_FIELDS = ['savedStack'] as const;
/** The bounds of a search, not part of the machine. */
export const UNTOLD_FIELDS = ['irqsLeft', 'nmisLeft', 'failed'] as const;

/** Everything that differs, the stepping CPU first. */
export function changesInWords(before: State, after: State, cpu: number, set: Setting): string[] {
  const others = Array.from({ length: set.bounds.cpus }, (_, c) => c).filter((c) => c !== cpu);
  const threads = before.depth.map((_, t) => t);
  return [
    ...cpuChanges(before, after, cpu, set),
    ...others.flatMap((c) => cpuChanges(before, after, c, set).map((words) => `CPU ${c}: ${words}`)),
    ...threads.flatMap((t) => contextChanges(before, after, t, cpu, set)),
    ...threads.flatMap((t) => savedStackChange(before, after, t, cpu, set)),
  ];
}

function cpuChanges(before: State, after: State, c: number, set: Setting): string[] {
  const words: string[] = [];
  const was = cr3Words(before, c, set.halves);
  const is = cr3Words(after, c, set.halves);
  for (const field of Object.keys(CPU_FIELDS) as CpuField[]) {
    const [a, b] = [before[field][c], after[field][c]];
    if (a !== b) words.push(CPU_FIELDS[field]?.(a, b, c, set, before, after) ?? `${field}: ${a} -> ${b}`);
    if (field === 'user' && was !== is) words.push(`CR3: ${was} -> ${is}`);
  }
  return words;
}

/** `kernel half (mm0)`. */
function cr3Words(s: State, c: number, halves: boolean): string {
  if (!halves) return `mm${s.mm[c]}`;
  return `${s.userHalf[c] === 1 ? 'user' : 'kernel'} half (mm${s.mm[c]})`;
}

function contextChanges(before: State, after: State, t: number, cpu: number, set: Setting): string[] {
  const words: string[] = [];
  const deepest = Math.max(before.depth[t], after.depth[t]);
  const of = before.running[cpu] === t || after.running[cpu] === t ? '' : ` of ${threadName(set.bounds, t)}`;
  for (let k = 0; k < deepest; k++) {
    if (k >= after.depth[t]) words.push(`context closed${of}: ${contextName(before.kind[t][k])}`);
    else if (k >= before.depth[t]) words.push(`context opened${of}: ${openedWords(after, t, k, cpu, set)}`);
    else if (isAnother(before, after, t, k))
      words.push(`context replaced${of}: ${contextName(before.kind[t][k])} by ${openedWords(after, t, k, cpu, set)}`);
    else
      words.push(
        ...progress(before, after, t, k, cpu, set).map((what) => `${contextName(after.kind[t][k])}${of} ${what}`),
      );
  }
  return words;
}

/** The slot holds a context of another origin than before. */
function isAnother(before: State, after: State, t: number, k: number): boolean {
  const origin = ['kind', 'fromUser', 'fromUserHalf', 'fromUserGs', 'fromInterrupts', 'fromStack'] as const;
  return origin.some((field) => before[field][t][k] !== after[field][t][k]);
}

function openedWords(s: State, t: number, k: number, cpu: number, set: Setting): string {
  const whose = threadName(set.bounds, t);
  const frame = s.frame[t][k] === USER ? 'no hardware frame' : `frame live on ${stackName(s.frame[t][k], cpu, whose)}`;
  const body = s.body[t][k] === 1 ? ', in its body' : '';
  return `${contextName(s.kind[t][k])} from ${originWords(s, t, k, cpu, set)}, ${frame}${body}`;
}

/** What it interrupted. */
function originWords(s: State, t: number, k: number, cpu: number, set: Setting): string {
  if (s.fromUser[t][k] === 1) return 'user mode';
  const half = set.halves ? `${s.fromUserHalf[t][k] === 1 ? 'user' : 'kernel'} CR3, ` : '';
  const gs = s.fromUserGs[t][k] === 1 ? 'user' : 'kernel';
  return `the kernel (${half}${gs} GS, IF=${s.fromInterrupts[t][k]}, ${stackName(s.fromStack[t][k], cpu, threadName(set.bounds, t))})`;
}

function progress(before: State, after: State, t: number, k: number, cpu: number, set: Setting): string[] {
  const words: string[] = [];
  if (before.body[t][k] !== after.body[t][k])
    words.push(after.body[t][k] === 1 ? 'has reached its body' : 'begins again, before its body');
  const [a, b] = [before.frame[t][k], after.frame[t][k]];
  const whose = threadName(set.bounds, t);
  if (a !== b && b === USER) words.push(`no longer needs its frame on ${stackName(a, cpu, whose)}`);
  else if (a !== b) words.push(`has its frame live on ${stackName(b, cpu, whose)}`);
  return words;
}

/** A thread that does not run waits with its stack pointer in threadsp. */
function savedStackChange(before: State, after: State, t: number, cpu: number, set: Setting): string[] {
  if (before.savedStack[t] === after.savedStack[t] || after.savedStack[t] === USER) return [];
  const name = threadName(set.bounds, t);
  return [`threadsp of ${name}: in ${stackName(after.savedStack[t], cpu, name)}`];
}
