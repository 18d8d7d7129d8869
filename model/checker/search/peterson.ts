/**
 * Peterson's mutual exclusion for two CPUs: the smallest complete model, as an example of the rule language and as a
 * fixture of the tests.
 *
 *   pc 0 outside -> 1 flag raised -> 2 turn given away -> 3 inside -> 0
 *
 * The property is number 1: not both inside. With `givesTurn` 0 the CPU forgets to give the turn away, and the property
 * fails.
 */

import { defineModel } from '../define-model';
import { every } from '../language/quantifiers';
import type { Bounds, Cpu, State as StateOf } from '../language/schema-types';
import { bool, cpu, global, perCpu, range } from '../language/schema-types';
import type { Model } from '../model';

const PETERSON_SCHEMA = { pc: perCpu(range(4)), flag: perCpu(bool), turn: global(cpu) };
export type State = StateOf<typeof PETERSON_SCHEMA>;

export interface DesignConfig {
  readonly givesTurn: number;
}

const OUTSIDE = 0;
const RAISED = 1;
const WAITING = 2;
const INSIDE = 3;

function other(c: Cpu): Cpu {
  return 1 - c;
}

export function raiseFlag(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== OUTSIDE) return false;
  s.flag[c] = 1;
  s.pc[c] = RAISED;
}

export function giveTurn(d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== RAISED) return false;
  if (d.givesTurn === 1) s.turn = other(c);
  s.pc[c] = WAITING;
}

export function enter(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== WAITING || (s.flag[other(c)] === 1 && s.turn !== c)) return false;
  s.pc[c] = INSIDE;
}

export function leave(_d: DesignConfig, _b: Bounds, s: State, c: Cpu): false | void {
  if (s.pc[c] !== INSIDE) return false;
  s.flag[c] = 0;
  s.pc[c] = OUTSIDE;
}

export function excludes(_d: DesignConfig, b: Bounds, s: State): boolean {
  return every(b.cpus, (c) => every(b.cpus, (k) => c === k || s.pc[c] !== INSIDE || s.pc[k] !== INSIDE));
}

export function peterson(config: DesignConfig = { givesTurn: 1 }): Model<State, DesignConfig> {
  const params = ['cpu'] as const;
  return defineModel({
    schema: PETERSON_SCHEMA,
    bounds: { cpus: 2 },
    config,
    rules: [
      { name: 'raise-flag', event: true, params, apply: raiseFlag },
      { name: 'give-turn', event: false, params, apply: giveTurn },
      { name: 'enter', event: false, params, apply: enter },
      { name: 'leave', event: false, params, apply: leave },
    ],
    invariants: [{ property: 1, name: 'mutual-exclusion', holds: excludes }],
  });
}
