/**
 * States a second of the breadth-first search on a synthetic model of the size of the real one: threads with stacks of contexts, CPUs that run
 * them, some 300 rule instances of which few are enabled. Plain Node: `node -r esbuild-register model/search/explore.bench.ts`
 */
import { makePacking } from '../packing';
import { exists } from '../quantifiers';
import type { Bounds, Cpu, State as StateOf, Thread } from '../schema-types';
import { bool, cpu, global, mm, perContext, perCpu, perThread, range, thread } from '../schema-types';
import { explore } from './explore';
import type { Model, Rule } from './machine';
import { ruleInstances } from './machine';

const schema = {
  user: perCpu(bool), half: perCpu(bool), space: perCpu(mm), gs: perCpu(bool), irqsOn: perCpu(bool), nmiBlocked: perCpu(bool), running: perCpu(thread), current: perCpu(thread),
  top: perCpu(thread), stackKind: perCpu(range(7)), stackOwner: perCpu(thread), depth: perThread(range((b) => b.nesting + 1)), onCpu: perThread(bool), kind: perThread(perContext(range(6))),
  stack: perThread(perContext(range(7))), owner: perThread(perContext(cpu)), reached: perThread(perContext(bool)), irqsLeft: global(range((b) => b.irqs + 1)), nmisLeft: global(range((b) => b.nmis + 1)),
};
type State = StateOf<typeof schema>;
type Config = { readonly kinds: number };

const bounds: Bounds = { cpus: 2, tasks: 3, mms: 2, nesting: 3, nmis: 2, irqs: 3 };

function enter(_d: Config, b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  if (s.running[c] !== t || s.depth[t] >= b.nesting || s.irqsLeft === 0) return false;
  s.kind[t][s.depth[t]] = s.user[c] === 1 ? 1 : 2;
  s.stack[t][s.depth[t]] = s.stackKind[c];
  s.owner[t][s.depth[t]] = c;
  s.depth[t] = s.depth[t] + 1;
  s.user[c] = 0;
  s.irqsOn[c] = 0;
  s.irqsLeft = s.irqsLeft - 1;
}

function leave(_d: Config, _b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  if (s.running[c] !== t || s.depth[t] === 0 || s.half[c] === 1) return false;
  s.depth[t] = s.depth[t] - 1;
  s.kind[t][s.depth[t]] = 0;
  s.stack[t][s.depth[t]] = 0;
  s.owner[t][s.depth[t]] = 0;
  s.reached[t][s.depth[t]] = 0;
  if (s.depth[t] === 0) s.user[c] = 1;
}

function body(_d: Config, _b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  if (s.running[c] !== t || s.depth[t] === 0 || s.reached[t][s.depth[t] - 1] === 1) return false;
  s.reached[t][s.depth[t] - 1] = 1;
}

function switchTo(_d: Config, b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  if (s.user[c] === 1 || s.running[c] === t || s.onCpu[t] === 1 || exists(b.cpus, (k) => s.running[k] === t)) return false;
  s.onCpu[s.running[c]] = 0;
  s.running[c] = t;
  s.onCpu[t] = 1;
}

function setCurrent(_d: Config, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.user[c] === 1 || s.current[c] === s.running[c]) return false;
  s.current[c] = s.running[c];
}

function toggleHalf(_d: Config, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.user[c] === 1) return false;
  s.half[c] = 1 - s.half[c];
}

function never(d: Config, b: Bounds, s: State, c: Cpu, t: Thread): false | void {
  if (s.running[c] !== t || s.depth[t] < b.nesting || s.stackKind[c] !== d.kinds || s.nmiBlocked[c] === 0) return false;
  s.nmiBlocked[c] = 0;
}

function initial(): State {
  const s = packing.zero();
  s.irqsLeft = bounds.irqs;
  for (let c = 0; c < bounds.cpus; c++) {
    s.running[c] = c;
    s.current[c] = c;
    s.onCpu[c] = 1;
    s.user[c] = 1;
  }
  return s;
}

const packing = makePacking(schema, bounds);
const onThread = { event: false, params: ['cpu', 'thread'] } as const;
const onCpu = { event: false, params: ['cpu'] } as const;
const rules: Rule<State, Config>[] = [
  { name: 'enter', ...onThread, apply: enter },
  { name: 'leave', ...onThread, apply: leave },
  { name: 'body', ...onThread, apply: body },
  { name: 'switch-to', ...onThread, apply: switchTo },
  { name: 'set-current', ...onCpu, apply: setCurrent },
  { name: 'toggle-half', ...onCpu, apply: toggleHalf },
  // Rules that look and find nothing to do, as most rules do in most states.
  ...Array.from({ length: 25 }, (_, i) => ({ name: `never-${i}`, ...onThread, apply: never })),
];
const coherent = { property: 1, name: 'coherent', holds: (_d: Config, b: Bounds, s: State) => !exists(b.cpus, (c) => s.onCpu[s.running[c]] === 0) };
const model: Model<State, Config> = { schema, bounds, config: { kinds: 7 }, packing, initial, rules, invariants: [coherent] };

const started = performance.now();
const result = explore(model, { deadlock: false, onProgress: (progress) => console.error(JSON.stringify(progress)) });
const seconds = (performance.now() - started) / 1000;
console.log(`${packing.describe().length} values in ${packing.words} words, ${ruleInstances(model).length} rule instances`);
console.log(`${result.verdict}: ${result.states} states, ${result.transitions} transitions, depth ${result.depth}`);
console.log(`${seconds.toFixed(2)} s, ${Math.round(result.states / seconds)} states/s, ${Math.round(result.transitions / seconds)} transitions/s`);
