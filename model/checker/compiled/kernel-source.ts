/**
 * The text of the kernel: expand-source.ts, rename-source.ts, and the small functions here, unrolled over the words of
 * a state: w0, w1, ... are those of an entry or of a state, v0 ... those of one state of an entry, y0 ... those of a
 * successor, q0 ... those that a crossing step is remembered by. `pti-check export --to javascript` prints it.
 */
import { expandText } from './expand-source';
import { batchStride, entryStride, isReduced, type KernelShape, R_PAGES, R_STATES } from './kernel';
import type { Learnable } from './lesson';
import { renamerText } from './rename-source';
import {
  at,
  awakeText,
  blockMask,
  lastOf,
  listed,
  localNumber,
  number,
  parameters,
  range,
  regionText,
} from './source-text';
import { BLOCK_BITS, BLOCK_STATES, PAGE_BITS } from './state-set';
import { crossingStride, rowsOf } from './step-memory';

/**
 * `cross(crossings, q0, q1, ..., instance)`: where the change of the crossing step stands in `crossings`; 0 if there is
 * none, -1 if that is not known.
 */
function crossText({ slots, crossingSlots }: KernelShape): string {
  const { words } = slots;
  const stride = crossingStride(words);
  const same = range(words)
    .slice(1)
    .map((w) => `crossings[at + ${w}] === q${w} && `)
    .join('');
  return `
function cross(crossings, ${parameters(words, 'q')}, instance) {
  let hash = instance;
  ${listed(words, (w) => `hash = imul(hash ^ q${w}, 0x9e3779b1); hash ^= hash >>> 15;`, '\n  ')}
  for (let at = imul(hash & ${crossingSlots - 1}, ${stride}); ; at = at === ${(crossingSlots - 1) * stride} ? 0 : at + ${stride}) {
    const first = crossings[at];
    if (first === 0) return -1;
    if (first === q0 && ${same}crossings[at + ${words}] === instance + 1) return crossings[at + ${words + 1}] === 0 ? 0 : at + ${words + 2};
  }
}`;
}

/** `place(w0, w1, ..., regions)`: the place of the state's block. `enter`: the state as a successor that is awake. */
function placeText(shape: KernelShape): string {
  const { slots } = shape;
  const { words, cpus, threads, globals, localBits } = slots;
  const others = cpus.slice(0, -1).map((slot) => localNumber(slot, localBits));
  const last = lastOf(slots);
  const block = `(${localNumber(last, localBits)} >>> ${BLOCK_BITS})`;
  const terms = [...others, block, ...[...threads, globals].map((slot) => number(slot))];
  return `
function place(${parameters(words)}, regions) {
  const region = ${regionText(slots)};
  return regions[region] + ${terms.map((value, i) => `imul(${value}, regions[region + ${i + 1}])`).join(' + ')} | 0;
}
function enter(batch, position, memory) {
  ${listed(words, (w) => `const w${w} = ${at('batch', 'position', w)};`, ' ')}
  ${at('batch', 'position', last.word)} = w${last.word} & ${blockMask(last)};
  ${at('batch', 'position', words)} = place(${parameters(words)}, memory[4])${awakeText(shape)};
  ${at('batch', 'position', words + 1)} = 1 << (w${last.word} >>> ${last.shift} & ${BLOCK_STATES - 1});
}`;
}

/** A shared word is read first: most successors are known, and a plain read is cheap. */
function markText(shape: KernelShape, name: string, shared: boolean): string {
  const { words } = shape.slots;
  const mark = shared
    ? 'const fresh = (bits & ~set[home]) === 0 ? 0 : bits & ~or(set, home, bits);'
    : `const met = set[home];
    const fresh = bits & ~met;
    set[home] = met | bits;`;
  const page = `home >>> ${PAGE_BITS}`;
  const reduced = isReduced(shape);
  return `
function ${name}(set, written, batch, filled, next, at, base, results) {
  let states = 0, pages = 0;
  for (let position = 0; position < filled; position += ${batchStride(words)}) {
    const to = ${at('batch', 'position', words)}, bits = ${at('batch', 'position', words + 1)};
    const home = ${reduced ? 'to' : 'to & -2'};
    ${mark}
    ${reduced ? '' : joinText(words)}
    if (fresh === 0) continue;
    states += count(fresh);
    if (written[${page}] === 0 && ${shared ? `exchange(written, ${page}, 1)` : `written[${page}]++`} === 0) pages++;
    ${listed(words, (w) => `${at('next', 'at', w)} = ${at('batch', 'position', w)};`, ' ')}
    ${at('next', 'at', words)} = fresh;
    ${reduced ? '' : `${at('next', 'at', words + 1)} = fresh & -(to & 1); set[home + 1] = base + at;`}
    at += ${entryStride(words)};
  }
  results[${R_STATES}] = states;
  results[${R_PAGES}] = pages;
  return at;
}`;
}

/**
 * If the block has an entry in the next level, the states join that. Those that are known stay awake; of those of the
 * next level a step can still put some to sleep.
 */
function joinText(words: number): string {
  const same = listed(words, (w) => `${at('next', 'joined', w)} === ${at('batch', 'position', w)}`, ' && ');
  return `if (fresh === 0 && (to & 1) === 1) continue;
    const joined = set[home + 1] - base;
    if (joined >= 0 && joined < at && ${same}) {
      ${at('next', 'joined', words)} |= fresh;
      ${at('next', 'joined', words + 1)} = (to & 1) === 1 ? ${at('next', 'joined', words + 1)} | fresh : ${at('next', 'joined', words + 1)} & ~bits;
      states += count(fresh);
      continue;
    }`;
}

function passesText({ slots }: KernelShape): string {
  const { words } = slots;
  return `
/** Bits of a word (Hacker's Delight, 5-1). */
function count(bits) {
  bits -= bits >>> 1 & 0x55555555;
  bits = (bits & 0x33333333) + (bits >>> 2 & 0x33333333);
  return imul(bits + (bits >>> 4) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
function touch(set, batch, filled) {
  let touched = 0;
  for (let position = ${words}; position < filled; position += ${batchStride(words)}) touched ^= set[batch[position]];
  return touched;
}`;
}

/** The form of the kernel for what is learnable, and for the room that it has. */
export function kernelShape({ slots, footprints, capacities, por, renamings = [] }: Learnable): KernelShape {
  return {
    slots,
    footprints,
    crossingSlots: capacities.crossings,
    por: por !== undefined,
    renamings: renamings.map(({ images }) => images),
    rows: rowsOf(slots),
  };
}

export function kernelSource(shape: KernelShape): string {
  return [
    `'use strict';\nconst { imul, clz32 } = Math;\nconst { exchange, or } = Atomics;`,
    passesText(shape),
    crossText(shape),
    placeText(shape),
    renamerText(shape),
    expandText(shape),
    markText(shape, 'mark', false),
    markText(shape, 'markShared', true),
    'return { expand, canonical, enter, touch, mark, markShared };',
  ].join('\n');
}
