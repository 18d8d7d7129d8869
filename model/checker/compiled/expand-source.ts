/**
 * The text of `expand`. An entry is handled as a whole where its states do the same: a step of a CPU other than the
 * last one is the same step for all of them.
 *
 * Most steps of a CPU are plain: they read and change nothing but its component. Local steps of other CPUs, which read
 * and change a component and the globals, commute with them, so of two such ways to the same state one is enough (sleep
 * sets: Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996, chapter 5; they leave out
 * steps and no states). A state that a local step u of some other CPU leads to is asleep: plain steps of the last CPU
 * are not taken there. Nothing is lost, nor found later. Let s = u(p) be of the level after that of p, and t a plain
 * step of the last CPU in s. Then t is a step in p, because u does not change what it reads, and t(p) is of the level
 * of s at the latest. There u is a step, for the same reason, and it is taken, because only steps of the last CPU are
 * ever left out; it leads to t(s). What is not taken is counted all the same. Reduced searches take every step: they
 * keep some states for others, and the argument needs t(p) itself.
 */

import type { Slots } from './components';
import { keyMask } from './crossing-memory';
import {
  batchStride,
  entryStride,
  isReduced,
  type KernelShape,
  R_POSITION,
  R_REASON,
  R_STOPPED,
  R_TRANSITIONS,
  REASON_DEAD,
  REASON_NO_IMAGE,
  REASON_NONE,
  REASON_UNKNOWN,
} from './kernel';
import { at, awakeText, blockMask, lastOf, listed, lowest, number, parameters, range, regionText } from './source-text';
import { BLOCK_BITS, BLOCK_STATES, FAR } from './state-set';
import { BLOCK_RECORD, COUNT_BITS, RECORD_HEAD, stepStride } from './step-memory';

const unknown = (state: string) =>
  `{ results[${R_REASON}] = ${REASON_UNKNOWN}; results[${R_STOPPED}] = ${state}; filled = before; break entries; }`;

/**
 * How the successor y0, y1, ... of the states `bits` gets into the batch: as it is, or with symmetry as whole states,
 * each of which is renamed on its own.
 */
function emitText({ slots, renamings }: KernelShape, place: string, bits: string): string {
  const { words } = slots;
  const stride = batchStride(words);
  const { word, shift } = lastOf(slots);
  if (renamings.length === 0)
    return `${listed(words, (w) => `${at('batch', 'filled', w)} = y${w};`, ' ')} ${at('batch', 'filled', words)} = ${place}; ${at('batch', 'filled', words + 1)} = ${bits}; filled += ${stride};`;
  const whole = (w: number) => (w === word ? `y${w} | (${lowest('rest')}) << ${shift}` : `y${w}`);
  return `for (let rest = ${bits}; rest !== 0; rest &= rest - 1) {
          ${listed(words, (w) => `${at('batch', 'filled', w)} = ${whole(w)};`, ' ')}
          filled += ${stride};
        }`;
}

/** The words q0, q1, ... by which crossing instance x of a CPU is remembered. */
function keyText({ slots }: KernelShape, cpu: number, prefix: string, view: (other: number) => string): string {
  const { words, cpus } = slots;
  return listed(words, (w) => {
    const shown = range(cpus.length).filter((other) => other !== cpu && cpus[other].word === w);
    return `${prefix}${w} & ${at('keys', `imul(instance, ${words})`, w)}${shown.map((other) => ` | ${view(other)}`).join('')}`;
  });
}

/** Where the step with this `move` leads to: near by, or anywhere. */
function movedText({ cpus, words, threads }: Slots, cpu: number): string {
  const globalsStride = 1 + cpus.length + threads.length;
  return `move === ${FAR} ? place(${parameters(words, 'y')}, regions) : home + imul(move >> 16, regions[region + ${cpu + 1}]) + imul(move << 16 >> 16, regions[region + ${globalsStride}])`;
}

/** Is the step plain with this `move`? The same as isPlain(). */
const isPlain = `(move & 0xffff) === 0 && move !== ${FAR}`;

/** Steps of a CPU that is not the last one: the same for all states `moving` of the entry. */
function otherCpuText(shape: KernelShape, cpu: number): string {
  const { slots } = shape;
  const { words, cpus } = slots;
  const shown = (other: number) => (other === cpus.length - 1 ? 'view' : `views${other}[${number(cpus[other])}]`);
  const views = `views${cpus.length - 1}`;
  const lastNumber = number(lastOf(slots));
  return `
      let step = record${cpu} + ${RECORD_HEAD};
      if (records[record${cpu}] > 0) alive |= moving;
      transitions += imul(records[record${cpu}], count(moving));
      for (const end = step + imul(records[record${cpu}], ${stepStride(words)}); step < end; step += ${stepStride(words)}) {
        const move = ${at('records', 'step', words)};
        ${listed(words, (w) => `const y${w} = w${w} ^ ${at('records', 'step', w)};`, ' ')}
        ${emitText(shape, `(${movedText(slots, cpu)})${isReduced(shape) ? '' : ` | (move === ${FAR} ? 1 : 0)`}`, 'moving')}
      }
      const end = step + records[record${cpu} + 1];
      for (let left = step < end ? moving : 0; left !== 0;) {
        // The states in which the last CPU shows the same.
        const view = ${views}[${lastNumber} | ${lowest('left')}];
        let bits = 0;
        for (let each = left; each !== 0; each &= each - 1) if (${views}[${lastNumber} | ${lowest('each')}] === view) bits |= each & -each;
        left ^= bits;
        for (let at = step; at < end; at++) {
          const instance = records[at];
          const change = cross(crossings, ${keyText(shape, cpu, 'w', shown)}, instance);
          if (change === 0) continue;
          if (change < 0) ${unknown(lowest('bits'))}
          alive |= bits;
          transitions += count(bits);
          ${listed(words, (w) => `const y${w} = w${w} ^ ${at('crossings', 'change', w)};`, ' ')}
          ${emitText(shape, `place(${parameters(words, 'y')}, regions)${awakeText(shape)}`, 'bits')}
        }
      }`;
}

/**
 * Steps of the last CPU: those of its states that are asleep and have none but plain steps are only counted, the others
 * are looked at one by one.
 */
function lastCpuText(shape: KernelShape): string {
  const { slots } = shape;
  const { words, cpus, globals } = slots;
  const cpu = cpus.length - 1;
  const { word, shift } = cpus[cpu];
  const shown = (other: number) => `views${other}[${number(cpus[other])}]`;
  const emitted = (place: string) => `const bit = 1 << (y${word} >>> ${shift} & ${BLOCK_STATES - 1});
          y${word} &= ${blockMask(cpus[cpu])};
          ${emitText(shape, place, 'bit')}`;
  return `
    const quiet = mask & ~awake & ${at('blocks', 'block', 1)};
    alive |= quiet & ${at('blocks', 'block', 2)};
    transitions += ${listed(COUNT_BITS, (i) => `(count(quiet & ${at('blocks', 'block', 3 + i)}) << ${i})`, ' + ')};
    for (let left = mask ^ quiet; left !== 0; left &= left - 1) {
      const state = ${lowest('left')};
      const isAwake = (awake >>> state & 1) === 1;
      ${listed(words, (w) => `const v${w} = w${w}${w === word ? ` | state << ${shift}` : ''};`, ' ')}
      const record = local${cpu}[${number(cpus[cpu], 'v')} << ${globals.bits} | ${number(globals)}];
      let step = record + ${RECORD_HEAD};
      if (records[record] > 0) alive |= 1 << state;
      transitions += records[record];
      for (const end = step + imul(records[record], ${stepStride(words)}); step < end; step += ${stepStride(words)}) {
        const move = ${at('records', 'step', words)};
        if (!isAwake && ${isPlain}) continue;
        ${listed(words, (w) => `let y${w} = v${w} ^ ${at('records', 'step', w)};`, ' ')}
        ${emitted(`(${movedText(slots, cpu)})${awakeText(shape)}`)}
      }
      for (const end = step + records[record + 1]; step < end; step++) {
        const instance = records[step];
        const change = cross(crossings, ${keyText(shape, cpu, 'v', shown)}, instance);
        if (change === 0) continue;
        if (change < 0) ${unknown('state')}
        alive |= 1 << state;
        transitions++;
        ${listed(words, (w) => `let y${w} = v${w} ^ ${at('crossings', 'change', w)};`, ' ')}
        ${emitted(`place(${parameters(words, 'y')}, regions)${awakeText(shape)}`)}
      }
    }`;
}

export function expandText(shape: KernelShape): string {
  const { slots, footprints, por, renamings } = shape;
  const { words, cpus, globals } = slots;
  const last = cpus.length - 1;
  const keys = footprints.flatMap((footprint) => [...keyMask(slots, footprint)]);
  const cpuNames = (prefix: string) => listed(cpus.length, (c) => `${prefix}${c}`);
  const others = range(cpus.length - 1);
  const record = (
    cpu: number,
  ) => `const record${cpu} = local${cpu}[${number(cpus[cpu])} << ${globals.bits} | ${number(globals)}];
    if (record${cpu} === 0) ${unknown(lowest('mask'))}`;
  const isMoving = (cpu: number) => (por ? `if (chosen < 0 ? moving !== 0 : chosen === ${cpu}) ` : '');
  return `
const keys = new Int32Array([${keys.join()}]);
function expand(frontier, entry, to, batch, filled, limit, results, reportsDead, memory) {
  const [records, crossings, images, ranks, regions, blocks, ${cpuNames('local')}, ${cpuNames('views')}] = memory;
  let expanded = 0;
  results[${R_REASON}] = ${REASON_NONE};
  entries: while (entry < to && filled < limit) {
    const before = filled;
    let transitions = 0, alive = 0;
    ${listed(words, (w) => `const w${w} = ${at('frontier', 'entry', w)};`, ' ')}
    const mask = ${at('frontier', 'entry', words)}, awake = ${isReduced(shape) ? 'mask' : at('frontier', 'entry', words + 1)};
    const home = place(${parameters(words)}, regions);
    const region = ${regionText(slots)};
    ${others.map(record).join('\n    ')}
    const block = imul((${number(cpus[last])} >>> ${BLOCK_BITS}) << ${globals.bits} | ${number(globals)}, ${BLOCK_RECORD});
    const unknown = mask & ~blocks[block];
    if (unknown !== 0) ${unknown(lowest('unknown'))}
    ${por ? chosenText(shape) : 'const moving = mask;'}
    ${others.map((cpu) => `${isMoving(cpu)}{${otherCpuText(shape, cpu)}\n    }`).join('\n    ')}
    ${por ? 'if (chosen < 0) ' : ''}{${lastCpuText(shape)}
    }
    ${renamings.length > 0 ? renameText(slots) : ''}
    if (reportsDead && alive !== mask) { results[${R_REASON}] = ${REASON_DEAD}; break; }
    expanded += transitions;
    entry += ${entryStride(words)};
  }
  results[${R_POSITION}] = entry;
  results[${R_TRANSITIONS}] = expanded;
  return filled;
}`;
}

/**
 * The lowest CPU that is private and has a step, for all states of the entry alike; or -1, and the last CPU is looked
 * at in each state: where it is private the others do not move.
 */
function chosenText({ slots }: KernelShape): string {
  const { cpus, globals } = slots;
  const last = cpus.length - 1;
  const isPrivate = (r: string) => `records[${r} + 2] === 1 && records[${r}] > 0`;
  const first = range(last).map((c) => `${isPrivate(`record${c}`)} ? ${c} : `);
  return `const chosen = ${first.join('')}-1;
    let moving = mask;
    for (let left = chosen < 0 ? mask : 0; left !== 0; left &= left - 1) {
      const record = local${last}[(${number(cpus[last])} | ${lowest('left')}) << ${globals.bits} | ${number(globals)}];
      if (${isPrivate('record')}) moving ^= left & -left;
    }`;
}

/** Renames the successors of one entry, which stand in the batch as whole states, and makes entries of them. */
function renameText({ words }: Slots): string {
  return `let position = before;
    for (; position < filled && rename(batch, position, images, ranks); position += ${batchStride(words)}) enter(batch, position, memory);
    if (position < filled) { results[${R_REASON}] = ${REASON_NO_IMAGE}; results[${R_STOPPED}] = position; filled = before; break; }`;
}
