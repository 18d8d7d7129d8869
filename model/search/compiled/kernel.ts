/**
 * The inner loops of the compiled search, as text for a given form of collapsed states (components.ts), unrolled over their words. Steps come out of
 * the memory of steps (step-memory.ts) and change states by exclusive or. A batch of some hundred successors goes through these passes, because what costs
 * is waiting for memory:
 *
 *   expand    the successors of states, until one is met of which something is not known yet
 *   locate    the place of each successor in the set of states (state-set.ts)
 *   touch     one read of each place; these reads do not depend on each other, so their cache misses overlap
 *   mark      marks what is new, and appends it to the next level
 */
import type { Footprint } from '../../translate/packed/interaction';
import type { Slot, Slots } from './components';
import { keyMask } from './learner';
import { regionLength } from './state-set';
import { crossingStride, RECORD_HEAD, type StepMemory } from './step-memory';

/** Where the kernel leaves what it cannot return: places in the array R. */
export const R_POSITION = 0;
/** Why `expand` stopped at R_POSITION before its end, if it did. */
export const R_REASON = 1;
export const R_STOPPED = 2;

export const REASON_NONE = 0;
export const REASON_DEAD = 1;
/** Of the state at R_POSITION. */
export const REASON_UNKNOWN = 2;
/** Of the successor that stands in the batch at R_STOPPED. */
export const REASON_NO_IMAGE = 3;

export interface KernelShape {
  readonly slots: Slots;
  readonly footprints: readonly Footprint[];
  /** Slots of the memory of crossings, a power of two. */
  readonly crossingSlots: number;
  /** With partial-order reduction: where a CPU is private, its steps stand for all. */
  readonly por: boolean;
  /** With symmetry: for each renaming, the component that each component becomes. */
  readonly renamings: readonly (readonly number[])[];
  /** Where the row of each component begins within the rows of a renaming, and at the end their size (step-memory.ts). */
  readonly rows: readonly number[];
}

/** Positions are indices into arrays of words, not numbers of states. */
export interface Kernel {
  /** Appends the successors of F[i..to) to o[n..limit); stops at R[R_POSITION]. Returns the new n. `M` is what tables() makes of a memory of steps. */
  expand(
    F: Int32Array,
    i: number,
    to: number,
    o: Int32Array,
    n: number,
    limit: number,
    R: Int32Array,
    reportsDead: boolean,
    M: readonly Int32Array[],
  ): number;
  /** Replaces the state at o[p] by the one that stands for all its renamings; answers whether these are known. */
  canonical(o: Int32Array, p: number, M: readonly Int32Array[]): boolean;
  /** Leaves in H the places of m successors in the set. */
  locate(o: Int32Array, m: number, H: Int32Array, M: readonly Int32Array[]): void;
  touch(T: Int32Array, m: number, H: Int32Array): number;
  /** Marks m successors in the set T; those that were not marked are appended to N[at..). Returns the new `at`. */
  mark(T: Int32Array, o: Int32Array, m: number, H: Int32Array, N: Int32Array, at: number): number;
  /** The same for a set that several threads use. */
  markShared: Kernel['mark'];
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const listed = (count: number, text: (i: number) => string, separator = ', ') => range(count).map(text).join(separator);
const at = (array: string, base: string, i: number) => `${array}[${i === 0 ? base : `${base} + ${i}`}]`;
const parameters = (count: number, prefix = 'w') => listed(count, (i) => `${prefix}${i}`);

/** The order of the arrays that `expand` takes. */
export function tables({ local, views, records, crossings, images, ranks, regions }: StepMemory): Int32Array[] {
  return [records, crossings, images, ranks, regions, ...local, ...views];
}

const number = ({ word, shift, bits }: Slot) => `(w${word} >>> ${shift} & ${(1 << bits) - 1})`;

/** `cross(X, q0, q1, ..., x)`: where the change of the crossing step stands in X; 0 if there is none, -1 if that is not known. */
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

const NOT_KNOWN = `R[${R_REASON}] = ${REASON_UNKNOWN}; n = before; break;`;

function cpuText({ slots }: KernelShape, cpu: number): string {
  const { words } = slots;
  const others = slots.cpus.map((slot, k) => ({ slot, k })).filter(({ k }) => k !== cpu);
  const key = range(words).map((w) => {
    const shown = others.filter(({ slot }) => slot.word === w).map(({ slot, k }) => ` | V${k}[${number(slot)}]`);
    return `w${w} & ${at('KEYS', `x * ${words}`, w)}${shown.join('')}`;
  });
  return `
      let k = r${cpu} + ${RECORD_HEAD};
      for (const last = k + imul(S[r${cpu}], ${words}); k < last; k += ${words}) {
        ${listed(words, (w) => `${at('o', 'n', w)} = w${w} ^ ${at('S', 'k', w)};`, ' ')}
        n += ${words};
      }
      for (const last = k + S[r${cpu} + 1]; k < last; k++) {
        const x = S[k];
        const i = cross(X, ${key.join(', ')}, x);
        if (i === 0) continue;
        if (i < 0) { n = -1; break; }
        ${listed(words, (w) => `${at('o', 'n', w)} = w${w} ^ ${at('X', 'i', w)};`, ' ')}
        n += ${words};
      }`;
}

function expandText(shape: KernelShape, globalsBits: number): string {
  const { slots, footprints } = shape;
  const { words, cpus } = slots;
  const keys = footprints.flatMap((footprint) => [...keyMask(slots, footprint)]);
  const cpuNames = (prefix: string) => listed(cpus.length, (c) => `${prefix}${c}`);
  const record = (cpu: number) =>
    `const r${cpu} = L${cpu}[${number(cpus[cpu])} << ${globalsBits} | ${number(slots.globals)}];`;
  return `
const KEYS = new Int32Array([${keys.join()}]);
function expand(F, i, to, o, n, limit, R, reportsDead, M) {
  const [S, X, I, J, , ${cpuNames('L')}, ${cpuNames('V')}] = M;
  R[${R_REASON}] = ${REASON_NONE};
  while (i < to && n < limit) {
    const before = n;
    ${listed(words, (w) => `const w${w} = ${at('F', 'i', w)};`, ' ')}
    ${range(cpus.length).map(record).join('\n    ')}
    if (${range(cpus.length)
      .map((c) => `r${c} === 0`)
      .join(' || ')}) { ${NOT_KNOWN} }
    ${shape.por ? chosenText(cpus.length) : ''}
    ${range(cpus.length)
      .map((cpu) => `${shape.por ? chosen(cpu) : ''}{${cpuText(shape, cpu)}\n      if (n < 0) { ${NOT_KNOWN} }\n    }`)
      .join('\n    ')}
    ${shape.renamings.length > 0 ? renameText(words) : ''}
    if (n === before && reportsDead) { R[${R_REASON}] = ${REASON_DEAD}; break; }
    i += ${words};
  }
  R[${R_POSITION}] = i;
  return n;
}`;
}

/** The lowest CPU that is private and has a step, or -1. */
function chosenText(cpus: number): string {
  const first = range(cpus).map((c) => `S[r${c} + 2] === 1 && S[r${c}] > 0 ? ${c} : `);
  return `const chosen = ${first.join('')}-1;`;
}

const chosen = (cpu: number) => `if (chosen < 0 || chosen === ${cpu}) `;

/** Renames the successors of one state. */
function renameText(words: number): string {
  return `let p = before;
    while (p < n && rename(o, p, I, J)) p += ${words};
    if (p < n) { R[${R_REASON}] = ${REASON_NO_IMAGE}; R[${R_STOPPED}] = p; n = before; break; }`;
}

/**
 * `rename(o, p, I, J)`: the renaming that comes first, by the ranks of what its components become: that of CPU 0 alone decides nearly always, so the others
 * are looked at only where it does not. Where all ranks are equal the states are equal, but for collisions of a hash, which the numbers then decide.
 */
function renamerText({ slots, renamings, rows }: KernelShape): string {
  if (renamings.length === 0) return 'function canonical() { return true; }';
  const { words } = slots;
  const all = [...slots.cpus, ...slots.threads, slots.globals];
  const size = rows[rows.length - 1];
  const place = (renaming: number, component: number) => `${renaming * size + rows[component]} + a${component}`;
  const tried = renamings.map((images, renaming) => {
    const head = images.indexOf(0);
    const rest = range(all.length)
      .filter((component) => component !== head)
      .sort((a, b) => images[a] - images[b]);
    const image = range(words).map((w) => {
      const here = range(all.length).filter((component) => all[images[component]].word === w);
      return ['1', ...here.map((component) => `I[${place(renaming, component)}]`)].join(' | ');
    });
    const ranks = rest
      .map((component) => `h = imul(h ^ J[${place(renaming, component)}], 0x9e3779b1); h ^= h >>> 15;`)
      .join(' ');
    return `
  if (I[${place(renaming, head)}] < 0) return false;
  j = J[${place(renaming, head)}];
  if (j <= first) {
    ${image.map((text, w) => `const x${w} = ${text};`).join(' ')}
    if ((${range(words)
      .map((w) => `x${w}`)
      .join(' | ')}) < 0) return false;
    h = 0; ${ranks}
    if (j < first || h < second || h === second && ${lessText(words)}) {
      first = j; second = h; ${listed(words, (w) => `m${w} = x${w};`, ' ')}
    }
  }`;
  });
  return `
function rename(o, p, I, J) {
  ${listed(words, (w) => `const w${w} = ${at('o', 'p', w)};`, ' ')}
  ${all.map((slot, component) => `const a${component} = ${number(slot)};`).join(' ')}
  let first = 0x7fffffff, second = 0x7fffffff, j = 0, h = 0;
  ${listed(words, (w) => `let m${w} = 0x7fffffff;`, ' ')}
  ${tried.map((text) => `{${text}\n  }`).join('\n  ')}
  ${listed(words, (w) => `${at('o', 'p', w)} = m${w};`, ' ')}
  return true;
}
function canonical(o, p, M) { return rename(o, p, M[2], M[3]); }`;
}

/** Is x less than m, word by word? */
function lessText(words: number, w = 0): string {
  if (w === words - 1) return `x${w} < m${w}`;
  return `(x${w} < m${w} || x${w} === m${w} && ${lessText(words, w + 1)})`;
}

const local = (slot: Slot, bits: number) => `(w${slot.word} >>> ${slot.shift} & ${(1 << bits) - 1})`;

function locateText({ slots }: KernelShape): string {
  const { words, cpus, threads, globals, localBits } = slots;
  const occupant = ({ word, shift, bits }: Slot) =>
    `(w${word} >>> ${shift + localBits} & ${(1 << (bits - localBits)) - 1})`;
  const region = cpus
    .map(occupant)
    .reduce((outer, inner) => `(imul(${outer}, ${Math.max(1, threads.length)}) + ${inner})`);
  const last = cpus[cpus.length - 1];
  const strides = [...cpus.slice(0, -1).map((slot) => local(slot, localBits)), `(${local(last, localBits)} >>> 5)`];
  const terms = [...strides, ...[...threads, globals].map(number)].map((value, i) =>
    i === cpus.length - 1 ? value : `imul(${value}, Q[q + ${i + 1}])`,
  );
  return `
function locate(o, m, H, M) {
  const Q = M[4];
  for (let j = 0, p = 0; j < m; j++, p += ${words}) {
    ${listed(words, (w) => `const w${w} = ${at('o', 'p', w)};`, ' ')}
    const q = imul(${region}, ${regionLength(cpus.length, threads.length)});
    H[j] = Q[q] + ${terms.join(' + ')};
  }
}
function touch(T, m, H) {
  let touched = 0;
  for (let j = 0; j < m; j++) touched ^= T[H[j]];
  return touched;
}`;
}

const stores = (words: number, array: string, base: string) =>
  listed(words, (w) => `${at(array, base, w)} = w${w};`, ' ');

/** A shared word is read first: most successors are known, and a plain read is cheap. */
function markText({ slots }: KernelShape, name: string, shared: boolean): string {
  const { words, cpus, localBits } = slots;
  const take = shared ? 'if ((or(T, a, bit) & bit) !== 0) continue;' : 'T[a] = x | bit;';
  return `
function ${name}(T, o, m, H, N, at) {
  for (let j = 0, p = 0; j < m; j++, p += ${words}) {
    ${listed(words, (w) => `const w${w} = ${at('o', 'p', w)};`, ' ')}
    const a = H[j];
    const bit = 1 << ${local(cpus[cpus.length - 1], localBits)};
    const x = T[a];
    if ((x & bit) !== 0) continue;
    ${take}
    ${stores(words, 'N', 'at')}
    at += ${words};
  }
  return at;
}`;
}

export function kernelSource(shape: KernelShape): string {
  return [
    `'use strict';\nconst imul = Math.imul;\nconst or = Atomics.or;`,
    crossText(shape),
    renamerText(shape),
    expandText(shape, shape.slots.globals.bits),
    locateText(shape),
    markText(shape, 'mark', false),
    markText(shape, 'markShared', true),
    'return { expand, canonical, locate, touch, mark, markShared };',
  ].join('\n');
}
