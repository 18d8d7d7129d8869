/**
 * The inner loops of the compiled search, as text for a given number of words a state: unrolled over the words, with the generated
 * `successors` and `judge` in scope. A batch of some hundred successors goes through these passes, because what costs is waiting for memory:
 *
 *   0 filter    what has been met a moment ago is dropped
 *   1 hash      each successor's home in the table
 *   2 touch     one read of each home; the reads do not depend on each other, so their cache misses overlap
 *   3 insert    probe from the home on, which is in the cache by now, and store what is new
 *
 * The table is addressed by the high bits of the hash, so that a table of twice the size keeps the order of the entries (grow).
 */

/** Where the kernel leaves what it cannot return: places in the array R. */
export const R_POSITION = 0;
export const R_DEAD = 1;
export const R_STOPPED = 2;
export const R_VERDICT = 3;

/** Verdicts of `insert` that are no properties. */
export const MARKED = -1;
export const CROWDED = -2;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const listed = (count: number, text: (i: number) => string, separator = ', ') => range(count).map(text).join(separator);

const at = (array: string, base: string, i: number) => `${array}[${i === 0 ? base : `${base} + ${i}`}]`;

/** Multiply and fold each word; the high bits of the last product choose the slot. */
function hashText(words: number): string {
  const steps = listed(
    words,
    (i) => `h = imul((h ^ w${i}), ${i % 2 === 0 ? '0x9e3779b1' : '0x85ebca77'}); h = h ^ (h >>> 15);`,
    '\n  ',
  );
  return `function hashOf(${listed(words, (i) => `w${i}`)}) {\n  let h = ${words};\n  ${steps}\n  return imul(h, 0xc2b2ae3d | 0);\n}`;
}

function expandText(words: number, names: boolean): string {
  return `
function expand(F, i, to, o, n, limit, R, reportsDead) {
  while (i < to && n < limit) {
    const before = n;
    n = successors(${listed(words, (w) => at('F', 'i', w))}, o, n);
    if (n === before && reportsDead) { R[${R_DEAD}] = 1; break; }
    ${names ? 'if (n > before + STRIDE) order(o, before, n);' : ''}
    i += ${words};
  }
  R[${R_POSITION}] = i;
  return n;
}`;
}

/** Insertion sort by instance; the entry behind a marker bears the marker's number and stays behind it, since equal ones keep their order. */
const ORDER = `
function order(o, from, to) {
  for (let i = from + STRIDE; i < to; i += STRIDE) {
    const instance = o[i + STRIDE - 1];
    let j = i;
    while (j > from && o[j - 1] > instance) j -= STRIDE;
    if (j === i) continue;
    SPARE.set(o.subarray(i, i + STRIDE));
    o.copyWithin(j + STRIDE, j, i);
    o.set(SPARE, j);
  }
}`;

function prepareText(words: number): string {
  return `
function prepare(T, o, m, H, shift) {
  for (let j = 0, p = 0; j < m; j++, p += STRIDE) H[j] = imul(hashOf(${listed(words, (w) => at('o', 'p', w))}) >>> shift, ${words});
  let touched = 0;
  for (let j = 0; j < m; j++) touched ^= T[H[j]];
  return touched;
}`;
}

/**
 * Most successors are states that are known already, and many of those have been met a moment ago: two steps that do not touch each other lead to one state in
 * either order. A small table C, which stays in the processor's cache, remembers the last states; what is found there needs no look into the
 * large one. Removes these from the batch, and returns what is left of m. What stands behind a marker stays.
 */
function filterText(words: number): string {
  const rest = range(words).slice(1);
  const same = range(words)
    .map((w) => `${at('C', 'c', w)} === w${w}`)
    .join(' && ');
  return `
function filter(o, m, C) {
  const mask = (C.length / ${words} | 0) - 1;
  let q = 0;
  for (let p = 0, end = m * STRIDE; p < end; p += STRIDE) {
    const w0 = o[p];
    if ((w0 & 1) === 0) { o.copyWithin(q, p, end); return (q + end - p) / STRIDE; }
    ${rest.map((w) => `const w${w} = o[p + ${w}];`).join(' ')}
    const c = imul(hashOf(${listed(words, (w) => `w${w}`)}) >>> 7 & mask, ${words});
    if (${same}) continue;
    ${listed(words, (w) => `${at('C', 'c', w)} = w${w};`, ' ')}
    ${listed(words, (w) => `${at('o', 'q', w)} = w${w};`, ' ')}
    q += STRIDE;
  }
  return q / STRIDE;
}`;
}

function insertText(words: number): string {
  const rest = range(words).slice(1);
  const same = rest.map((w) => `T[i + ${w}] === w${w}`).join(' && ') || 'true';
  return `
function insert(T, o, j, m, H, N, at, end, R) {
  for (let p = j * STRIDE; j < m; j++, p += STRIDE) {
    const w0 = o[p];
    if ((w0 & 1) === 0) { R[${R_STOPPED}] = j; R[${R_VERDICT}] = ${MARKED}; return at; }
    ${rest.map((w) => `const w${w} = o[p + ${w}];`).join(' ')}
    let i = H[j];
    for (;;) {
      const x = T[i];
      if (x === w0) {
        if (${same}) break;
      } else if (x === 0) {
        if (i === end) { R[${R_STOPPED}] = j; R[${R_VERDICT}] = ${CROWDED}; return at; }
        const verdict = judge(${listed(words, (w) => `w${w}`)});
        if (verdict !== 0) { R[${R_STOPPED}] = j; R[${R_VERDICT}] = verdict; return at; }
        ${listed(words, (w) => `${at('T', 'i', w)} = w${w};`, ' ')}
        ${listed(words, (w) => `${at('N', 'at', w)} = w${w};`, ' ')}
        at += ${words};
        break;
      }
      i += ${words};
    }
  }
  R[${R_STOPPED}] = m;
  return at;
}`;
}

/**
 * Doubles the table in place. Entries move from the last to the first: an entry with home h goes to 2h or 2h+1, which is beyond all that are still to
 * move, except for entries of the first slots that lie far behind their homes: those wait in a list.
 */
function growText(words: number): string {
  return `
function grow(T, slots, guard, shift) {
  T.fill(0, (slots + guard) * ${words}, (2 * slots + guard) * ${words});
  const waiting = [];
  const last = (2 * slots + guard - 1) * ${words};
  const put = (${listed(words, (w) => `w${w}`)}, home) => {
    let i = home;
    while (T[i] !== 0) i += ${words};
    if (i >= last) throw new RangeError('the table of states has a crowd at its end');
    ${listed(words, (w) => `${at('T', 'i', w)} = w${w};`, ' ')}
  };
  for (let i = (slots + guard - 1) * ${words}; i >= 0; i -= ${words}) {
    const w0 = T[i];
    if (w0 === 0) continue;
    ${listed(words - 1, (w) => `const w${w + 1} = T[i + ${w + 1}];`, ' ')}
    ${listed(words, (w) => `${at('T', 'i', w)} = 0;`, ' ')}
    const home = (hashOf(${listed(words, (w) => `w${w}`)}) >>> (shift - 1)) * ${words};
    if (home < i) waiting.push(${listed(words, (w) => `w${w}`)}, home);
    else put(${listed(words, (w) => `w${w}`)}, home);
  }
  for (let i = 0; i < waiting.length; i += ${words + 1}) put(${listed(words + 1, (w) => `waiting[i + ${w}]`)});
}`;
}

/**
 * `insert` into a table that other threads insert into. Each word of a slot goes once from 0 to its final value (bit 0 of every word of a state is 1): a
 * plain read first, one compare-and-exchange of the first word where the slot looks free, plain stores of the others; who meets a 0 there waits for it.
 */
function insertSharedText(words: number): string {
  const rest = range(words).slice(1);
  const load = (w: number) => `let x${w} = T[i + ${w}]; while (x${w} === 0) x${w} = load(T, i + ${w});`;
  const same = rest.map((w) => `x${w} === w${w}`).join(' && ') || 'true';
  return `
function insertShared(T, o, j, m, H, N, at, end, R) {
  for (let p = j * STRIDE; j < m; j++, p += STRIDE) {
    const w0 = o[p];
    if ((w0 & 1) === 0) { R[${R_STOPPED}] = j; R[${R_VERDICT}] = ${MARKED}; return at; }
    ${rest.map((w) => `const w${w} = o[p + ${w}];`).join(' ')}
    let i = H[j];
    for (;;) {
      let x = T[i];
      if (x === 0) {
        if (i >= end) { R[${R_STOPPED}] = j; R[${R_VERDICT}] = ${CROWDED}; return at; }
        const verdict = judge(${listed(words, (w) => `w${w}`)});
        if (verdict !== 0) { R[${R_STOPPED}] = j; R[${R_VERDICT}] = verdict; return at; }
        x = exchange(T, i, 0, w0);
        if (x === 0) {
          ${rest.map((w) => `T[i + ${w}] = w${w};`).join(' ')}
          ${listed(words, (w) => `${at('N', 'at', w)} = w${w};`, ' ')}
          at += ${words};
          break;
        }
      }
      if (x === w0) {
        ${rest.map(load).join(' ')}
        if (${same}) break;
      }
      i += ${words};
    }
  }
  R[${R_STOPPED}] = m;
  return at;
}`;
}

/**
 * One part of a shared growth: the entries of the slots from..to-1 move to 2*from..2*to-1, which no other part touches. An entry that belongs
 * there but found no place, or stands here because its own place was taken, is left in W with its home.
 */
function moveText(words: number): string {
  return `
function move(T, from, to, fresh, shift, W) {
  const first = 2 * from * ${words};
  const end = 2 * to * ${words};
  if (fresh) T.fill(0, first, end);
  for (let i = from * ${words}; i < to * ${words}; i += ${words}) {
    ${listed(words, (w) => `const w${w} = ${at('T', 'i', w)};`, ' ')}
    if (w0 === 0) continue;
    ${listed(words, (w) => `${at('T', 'i', w)} = 0;`, ' ')}
    const home = (hashOf(${listed(words, (w) => `w${w}`)}) >>> shift) * ${words};
    let p = home;
    if (home < first) p = end;
    else while (p < end && T[p] !== 0) p += ${words};
    if (p >= end) W.push(${listed(words, (w) => `w${w}`)});
    else { ${listed(words, (w) => `${at('T', 'p', w)} = w${w};`, ' ')} }
  }
}
function take(T, from, to, W) {
  for (let i = from * ${words}; i < to * ${words}; i += ${words}) {
    if (T[i] === 0) continue;
    W.push(${listed(words, (w) => at('T', 'i', w))});
    ${listed(words, (w) => `${at('T', 'i', w)} = 0;`, ' ')}
  }
}
function putBack(T, W, shift, end) {
  for (let n = 0; n < W.length; n += ${words}) {
    ${listed(words, (w) => `const w${w} = ${at('W', 'n', w)};`, ' ')}
    let i = (hashOf(${listed(words, (w) => `w${w}`)}) >>> shift) * ${words};
    while (exchange(T, i, 0, w0) !== 0) i += ${words};
    if (i >= end) throw new RangeError('the table of states has a crowd at its end');
    ${range(words)
      .slice(1)
      .map((w) => `T[i + ${w}] = w${w};`)
      .join(' ')}
  }
}`;
}

/** The kernel's text, for `successors` and `judge` of `code` (packed-code.ts). */
export function kernelSource(words: number, names: boolean): string {
  return [
    `const imul = Math.imul;\nconst exchange = Atomics.compareExchange;\nconst load = Atomics.load;\nconst STRIDE = ${words + (names ? 1 : 0)};\nconst SPARE = new Int32Array(STRIDE);`,
    hashText(words),
    ORDER,
    expandText(words, names),
    prepareText(words),
    filterText(words),
    insertText(words),
    growText(words),
    insertSharedText(words),
    moveText(words),
    'return { expand, prepare, filter, insert, grow, insertShared, move, take, putBack, hashOf, successors, judge };',
  ].join('\n');
}

/** Positions are indices into arrays of words, not numbers of states. */
export interface Kernel {
  /** Appends the successors of F[i..to) to o[n..limit); stops at R[R_POSITION]. Returns the new n. */
  expand(
    F: Int32Array,
    i: number,
    to: number,
    o: Int32Array,
    n: number,
    limit: number,
    R: Int32Array,
    reportsDead: boolean,
  ): number;
  /** Without names only: removes successors that are in the memory C of recent states. Returns the new m. */
  filter(o: Int32Array, m: number, C: Int32Array): number;
  /** Passes 1 and 2. */
  prepare(T: Int32Array, o: Int32Array, m: number, H: Int32Array, shift: number): number;
  /** Pass 3 for the successors j..m-1: new ones are appended to N[at..). Stops before one that is bad (R_STOPPED, R_VERDICT). Returns the new `at`. */
  insert(
    T: Int32Array,
    o: Int32Array,
    j: number,
    m: number,
    H: Int32Array,
    N: Int32Array,
    at: number,
    end: number,
    R: Int32Array,
  ): number;
  grow(T: Int32Array, slots: number, guard: number, shift: number): void;
  /** `insert` for a table that several threads use. */
  insertShared: Kernel['insert'];
  /** Moves the slots from..to-1 of a shared table that doubles. `fresh`: nothing has been written there yet. */
  move(T: Int32Array, from: number, to: number, fresh: boolean, shift: number, W: number[]): void;
  /** Takes all states out of the slots from..to-1. */
  take(T: Int32Array, from: number, to: number, W: number[]): void;
  /** Inserts the states of W, which are not in the table; other threads may do the same. `end` is the index of the last slot. */
  putBack(T: Int32Array, W: readonly number[], shift: number, end: number): void;
  hashOf(...words: number[]): number;
  successors(...wordsOutAt: (number | Int32Array)[]): number;
  judge(...words: number[]): number;
}
