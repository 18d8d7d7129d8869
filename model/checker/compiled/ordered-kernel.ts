/**
 * The inner loops of the ordered search, as text for a given number of words a state: unrolled over the words, with the
 * generated `successors` and `judge` in scope. New states are judged where they are met, so that the first violation in
 * the order of explore() is the first one here.
 *
 *   expand      the successors of states, in the order of their instances
 *   prepare     each successor's home in the table, and one read of each; these reads do not depend on each other, so
 *               their cache misses overlap
 *   insert      probe from the home on, which is in the cache by now, and store what is new
 *
 * The table is addressed by the high bits of the hash, so that a table of twice the size keeps the order of the entries
 * (grow).
 */

/** Where the kernel leaves what it cannot return: places in the array R. */
export const R_POSITION = 0;
export const R_DEAD = 1;
export const R_STOPPED = 2;
export const R_VERDICT = 3;

/** No state has more successors than this many words. */
export const MAX_SUCCESSOR_WORDS = 1 << 14;

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

function expandText(words: number): string {
  return `
function expand(F, i, to, o, n, limit, R, reportsDead) {
  while (i < to && n < limit) {
    const before = n;
    n = successors(${listed(words, (w) => at('F', 'i', w))}, o, n);
    if (n === before && reportsDead) { R[${R_DEAD}] = 1; break; }
    if (n > before + STRIDE) order(o, before, n);
    i += ${words};
  }
  R[${R_POSITION}] = i;
  return n;
}`;
}

/**
 * Insertion sort by instance; the entry behind a marker bears the marker's number and stays behind it, since equal ones
 * keep their order.
 */
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
 * Doubles the table in place. Entries move from the last to the first: an entry with home h goes to 2h or 2h+1, which
 * is beyond all that are still to move, except for entries of the first slots that lie far behind their homes: those
 * wait in a list.
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

/** The kernel's text, for `successors` and `judge` of packed-code.ts. */
export function orderedKernelSource(words: number): string {
  return [
    `const imul = Math.imul;\nconst STRIDE = ${words + 1};\nconst SPARE = new Int32Array(STRIDE);`,
    hashText(words),
    ORDER,
    expandText(words),
    prepareText(words),
    insertText(words),
    growText(words),
    'return { expand, prepare, insert, grow, successors, judge };',
  ].join('\n');
}

/** Positions are indices into arrays of words, not numbers of states. */
export interface OrderedKernel {
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
  prepare(T: Int32Array, o: Int32Array, m: number, H: Int32Array, shift: number): number;
  /**
   * For the successors j..m-1: new ones are appended to N[at..). Stops before one that is bad (R_STOPPED, R_VERDICT).
   * Returns the new `at`.
   */
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
  successors(...wordsOutAt: (number | Int32Array)[]): number;
  judge(...words: number[]): number;
}
