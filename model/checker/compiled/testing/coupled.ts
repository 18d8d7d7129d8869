/**
 * Rules that couple CPUs in each way that the rule language has, each as small as it can be: fixtures for tests of what
 * the compiled search remembers of a step (model/checker/compiled/code/interaction.ts). A model takes some of them.
 */

import { every, exists } from '../../language/quantifiers';
import type { Bounds, Cpu, IndexSort, State as StateOf, Thread } from '../../language/schema-types';
import { bool, global, perCpu, perThread, range, thread } from '../../language/schema-types';
import type { Model } from '../../model';
import { makePacking } from '../../search/packing';

const COUPLED_SCHEMA = {
  pc: perCpu(range(4)),
  flag: perCpu(bool),
  mode: global(bool),
  running: perCpu(thread),
  ready: perThread(range(3)),
  work: perThread(range(4)),
};
export type State = StateOf<typeof COUPLED_SCHEMA>;

export interface DesignConfig {
  /** CPUs wait before pc 3 while the mode is 1. */
  readonly waits: number;
}

/** Local. */
export function advance(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] === 3 || (d.waits === 1 && s.pc[c] === 2 && s.mode === 1)) return false;
  s.pc[c] = s.pc[c] + 1;
}

/** Local, and never to 3. */
export function approach(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] >= 2) return false;
  s.pc[c] = s.pc[c] + 1;
}

/** To 3 if no other CPU is there. */
export function enterAlone(_d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== 2 || exists(b.cpus, (k) => k !== c && s.pc[k] === 3)) return false;
  s.pc[c] = 3;
}

/** Local. */
export function wrap(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== 3) return false;
  s.pc[c] = 0;
}

/** Writes a field of another CPU. */
export function poke(_d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void {
  const other = (c + 1) % b.cpus;
  if (s.pc[c] !== 1 || s.flag[other] === 1) return false;
  s.flag[other] = 1;
}

/** Writes a field of whichever CPU. */
export function nudge(_d: DesignConfig, _b: Bounds, s: State, c: Cpu, k: Cpu): false | void {
  if (s.pc[c] !== 1 || s.flag[k] === 1) return false;
  s.flag[k] = 1;
}

/** To 3 with the mode as a lock, and back. */
export function acquire(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== 2 || s.mode === 1) return false;
  s.mode = 1;
  s.pc[c] = 3;
}

export function release(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== 3) return false;
  s.mode = 0;
  s.pc[c] = 0;
}

/** Writes a global. */
export function setMode(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== 1 || s.mode === 1) return false;
  s.mode = 1;
}

export function clearMode(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== 2 || s.mode === 0) return false;
  s.mode = 0;
}

/** Only CPU 0 does it, and once. */
export function lead(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (c !== 0 || s.mode === 1) return false;
  s.mode = 1;
}

/** Reads a global, and changes its CPU only. */
export function follow(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.mode === 0 || s.pc[c] === 1) return false;
  s.pc[c] = 1;
}

/** Has no CPU, and reads all of them. */
export function toggleMode(_d: DesignConfig, b: Bounds, s: State): false | void {
  if (exists(b.cpus, (k) => s.pc[k] === 3)) return false;
  s.mode = 1 - s.mode;
}

/** Writes the thread that the CPU runs. */
export function toil(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  const t = s.running[c];
  if (s.work[t] === 3) return false;
  s.work[t] = s.work[t] + 1;
}

/** Reads and writes a sleeping thread. */
export function switchReady(_d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  if (s.ready[t] === 0 || exists(b.cpus, (k) => s.running[k] === t)) return false;
  s.ready[t] = 0;
  s.running[c] = t;
}

/** Switches to a thread without a look at it. */
export function switchBlindly(_d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  if (exists(b.cpus, (k) => s.running[k] === t)) return false;
  s.running[c] = t;
}

export function wakeSleeping(_d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  if (s.pc[c] === 3 || exists(b.cpus, (k) => s.running[k] === t) || s.ready[t] === 2) return false;
  s.ready[t] = s.ready[t] + 1;
}

/** Has no CPU, and writes a thread that some CPU may run. */
export function wakeAny(_d: DesignConfig, _b: Bounds, s: State, t: Thread): false | void {
  if (s.ready[t] === 2) return false;
  s.ready[t] = s.ready[t] + 1;
}

/** About each CPU and a global. */
export function modeExcludesThree(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => s.mode === 0 || s.pc[c] !== 3);
}

/** About two CPUs and a global. */
export function modeExcludesBoth(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => every(b.cpus, (k) => c === k || s.mode === 0 || s.pc[c] !== 3 || s.pc[k] !== 3));
}

/** About two CPUs. */
export function notBothAtThree(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => every(b.cpus, (k) => c === k || s.pc[c] !== 3 || s.pc[k] !== 3));
}

/** About two CPUs, and what the compiled search asks for of threads. */
export function threadsApart(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => every(b.cpus, (k) => c === k || s.running[k] !== s.running[c]));
}

/** About the thread that a CPU runs. */
export function runnersAreFresh(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => s.work[s.running[c]] !== 3);
}

/** About threads that sleep. */
export function sleepersAreFresh(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.tasks + b.cpus, (t) => s.work[t] !== 3 || exists(b.cpus, (k) => s.running[k] === t));
}

type Apply = Model<State, DesignConfig>['rules'][number]['apply'];

const RULES: Readonly<Record<string, { readonly apply: Apply; readonly params: readonly IndexSort[] }>> = {
  advance: { apply: advance as Apply, params: ['cpu'] },
  approach: { apply: approach as Apply, params: ['cpu'] },
  enterAlone: { apply: enterAlone as Apply, params: ['cpu'] },
  wrap: { apply: wrap as Apply, params: ['cpu'] },
  poke: { apply: poke as Apply, params: ['cpu'] },
  nudge: { apply: nudge as Apply, params: ['cpu', 'cpu'] },
  acquire: { apply: acquire as Apply, params: ['cpu'] },
  release: { apply: release as Apply, params: ['cpu'] },
  setMode: { apply: setMode as Apply, params: ['cpu'] },
  clearMode: { apply: clearMode as Apply, params: ['cpu'] },
  lead: { apply: lead as Apply, params: ['cpu'] },
  follow: { apply: follow as Apply, params: ['cpu'] },
  toggleMode: { apply: toggleMode, params: [] },
  toil: { apply: toil as Apply, params: ['cpu'] },
  switchReady: { apply: switchReady as Apply, params: ['cpu', 'thread'] },
  switchBlindly: { apply: switchBlindly as Apply, params: ['cpu', 'thread'] },
  wakeSleeping: { apply: wakeSleeping as Apply, params: ['cpu', 'thread'] },
  wakeAny: { apply: wakeAny as Apply, params: ['thread'] },
};

const INVARIANTS = {
  modeExcludesThree,
  modeExcludesBoth,
  notBothAtThree,
  threadsApart,
  runnersAreFresh,
  sleepersAreFresh,
};

export interface Coupling {
  readonly rules: readonly string[];
  readonly invariants?: readonly (keyof typeof INVARIANTS)[];
  readonly waits?: number;
  readonly cpus?: number;
  readonly tasks?: number;
}

/** At first CPU c runs task c, or its idle thread where there are fewer tasks. */
export function coupled({
  rules,
  invariants = [],
  waits = 0,
  cpus = 2,
  tasks = 1,
}: Coupling): Model<State, DesignConfig> {
  const bounds: Bounds = { cpus, tasks, mms: 0, nesting: 0, nmis: 0, irqs: 0 };
  const packing = makePacking(COUPLED_SCHEMA, bounds);
  const initial = () => {
    const s = packing.zero();
    for (let c = 0; c < cpus; c++) s.running[c] = c < tasks ? c : tasks + c;
    return s;
  };
  return {
    schema: COUPLED_SCHEMA,
    bounds,
    config: { waits },
    packing,
    initial,
    running: 'running',
    rules: rules.map((name) => ({ name, event: false, ...RULES[name] })),
    invariants: invariants.map((name, i) => ({ property: i + 1, name, holds: INVARIANTS[name] })),
  };
}
