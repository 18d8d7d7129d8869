/**
 * The text of the kernel: expand-source.ts, rename-source.ts, and the small functions here, unrolled over the words of
 * a state.
 */
import { expandText } from './expand-source';
import { batchStride, entryStride, isReduced, type KernelShape, R_PAGES, R_STATES } from './kernel';
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
import { crossingStride } from './step-memory';

/**
 * `cross(X, q0, q1, ..., x)`: where the change of the crossing step stands in X; 0 if there is none, -1 if that is not
 * known.
 */
function crossText({ slots, crossingSlots }: KernelShape): string {
  const { words } = slots;
  const stride = crossingStride(words);
  const same = range(words)
    .slice(1)
    .map((w) => `X[i + ${w}] === q${w} && `)
    .join('');
  return `
function cross(X, ${parameters(words, 'q')}, x) {
  let h = x;
  ${listed(words, (w) => `h = imul(h ^ q${w}, 0x9e3779b1); h ^= h >>> 15;`, '\n  ')}
  for (let i = imul(h & ${crossingSlots - 1}, ${stride}); ; i = i === ${(crossingSlots - 1) * stride} ? 0 : i + ${stride}) {
    const first = X[i];
    if (first === 0) return -1;
    if (first === q0 && ${same}X[i + ${words}] === x + 1) return X[i + ${words + 1}] === 0 ? 0 : i + ${words + 2};
  }
}`;
}

/** `place(w0, w1, ..., Q)`: the place of the state's block. `enter`: the state as a successor that is awake. */
function placeText(shape: KernelShape): string {
  const { slots } = shape;
  const { words, cpus, threads, globals, localBits } = slots;
  const others = cpus.slice(0, -1).map((slot) => localNumber(slot, localBits));
  const last = lastOf(slots);
  const block = `(${localNumber(last, localBits)} >>> ${BLOCK_BITS})`;
  const terms = [...others, block, ...[...threads, globals].map((slot) => number(slot))];
  return `
function place(${parameters(words)}, Q) {
  const q = ${regionText(slots)};
  return Q[q] + ${terms.map((value, i) => `imul(${value}, Q[q + ${i + 1}])`).join(' + ')} | 0;
}
function enter(o, p, M) {
  ${listed(words, (w) => `const w${w} = ${at('o', 'p', w)};`, ' ')}
  ${at('o', 'p', last.word)} = w${last.word} & ${blockMask(last)};
  ${at('o', 'p', words)} = place(${parameters(words)}, M[4])${awakeText(shape)};
  ${at('o', 'p', words + 1)} = 1 << (w${last.word} >>> ${last.shift} & ${BLOCK_STATES - 1});
}`;
}

/** A shared word is read first: most successors are known, and a plain read is cheap. */
function markText(shape: KernelShape, name: string, shared: boolean): string {
  const { words } = shape.slots;
  const mark = shared
    ? 'const fresh = (bits & ~T[a]) === 0 ? 0 : bits & ~or(T, a, bits);'
    : `const met = T[a];
    const fresh = bits & ~met;
    T[a] = met | bits;`;
  const page = `a >>> ${PAGE_BITS}`;
  const reduced = isReduced(shape);
  return `
function ${name}(T, P, o, n, N, at, base, R) {
  let states = 0, pages = 0;
  for (let p = 0; p < n; p += ${batchStride(words)}) {
    const to = ${at('o', 'p', words)}, bits = ${at('o', 'p', words + 1)};
    const a = ${reduced ? 'to' : 'to & -2'};
    ${mark}
    ${reduced ? '' : joinText(words)}
    if (fresh === 0) continue;
    states += count(fresh);
    if (P[${page}] === 0 && ${shared ? `exchange(P, ${page}, 1)` : `P[${page}]++`} === 0) pages++;
    ${listed(words, (w) => `${at('N', 'at', w)} = ${at('o', 'p', w)};`, ' ')}
    ${at('N', 'at', words)} = a; ${at('N', 'at', words + 1)} = fresh;
    ${reduced ? '' : `${at('N', 'at', words + 2)} = fresh & -(to & 1); T[a + 1] = base + at;`}
    at += ${entryStride(words)};
  }
  R[${R_STATES}] = states;
  R[${R_PAGES}] = pages;
  return at;
}`;
}

/**
 * If the block has an entry in the next level, the states join that. Those that are known stay awake; of those of the
 * next level a step can still put some to sleep.
 */
function joinText(words: number): string {
  return `if (fresh === 0 && (to & 1) === 1) continue;
    const e = T[a + 1] - base;
    if (e >= 0 && e < at && ${at('N', 'e', words)} === a) {
      ${at('N', 'e', words + 1)} |= fresh;
      ${at('N', 'e', words + 2)} = (to & 1) === 1 ? ${at('N', 'e', words + 2)} | fresh : ${at('N', 'e', words + 2)} & ~bits;
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
function touch(T, o, n) {
  let touched = 0;
  for (let p = ${words}; p < n; p += ${batchStride(words)}) touched ^= T[o[p]];
  return touched;
}`;
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
