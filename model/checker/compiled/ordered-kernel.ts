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

/** Where the kernel leaves what it cannot return: places in the array `results`. */
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
    (i) => `hash = imul((hash ^ w${i}), ${i % 2 === 0 ? '0x9e3779b1' : '0x85ebca77'}); hash = hash ^ (hash >>> 15);`,
    '\n  ',
  );
  return `function hashOf(${listed(words, (i) => `w${i}`)}) {\n  let hash = ${words};\n  ${steps}\n  return imul(hash, 0xc2b2ae3d | 0);\n}`;
}

function expandText(words: number): string {
  return `
function expand(frontier, state, to, batch, filled, limit, results, reportsDead) {
  while (state < to && filled < limit) {
    const before = filled;
    filled = successors(${listed(words, (w) => at('frontier', 'state', w))}, batch, filled);
    if (filled === before && reportsDead) { results[${R_DEAD}] = 1; break; }
    if (filled > before + STRIDE) order(batch, before, filled);
    state += ${words};
  }
  results[${R_POSITION}] = state;
  return filled;
}`;
}

/**
 * Insertion sort by instance; the entry behind a marker bears the marker's number and stays behind it, since equal ones
 * keep their order.
 */
const ORDER = `
function order(batch, from, to) {
  for (let i = from + STRIDE; i < to; i += STRIDE) {
    const instance = batch[i + STRIDE - 1];
    let j = i;
    while (j > from && batch[j - 1] > instance) j -= STRIDE;
    if (j === i) continue;
    SPARE.set(batch.subarray(i, i + STRIDE));
    batch.copyWithin(j + STRIDE, j, i);
    batch.set(SPARE, j);
  }
}`;

function prepareText(words: number): string {
  return `
function prepare(table, batch, count, homes, shift) {
  for (let j = 0, position = 0; j < count; j++, position += STRIDE) homes[j] = imul(hashOf(${listed(words, (w) => at('batch', 'position', w))}) >>> shift, ${words});
  let touched = 0;
  for (let j = 0; j < count; j++) touched ^= table[homes[j]];
  return touched;
}`;
}

function insertText(words: number): string {
  const rest = range(words).slice(1);
  const same = rest.map((w) => `table[slot + ${w}] === w${w}`).join(' && ') || 'true';
  return `
function insert(table, batch, j, count, homes, next, at, end, results) {
  for (let position = j * STRIDE; j < count; j++, position += STRIDE) {
    const w0 = batch[position];
    if ((w0 & 1) === 0) { results[${R_STOPPED}] = j; results[${R_VERDICT}] = ${MARKED}; return at; }
    ${rest.map((w) => `const w${w} = batch[position + ${w}];`).join(' ')}
    let slot = homes[j];
    for (;;) {
      const first = table[slot];
      if (first === w0) {
        if (${same}) break;
      } else if (first === 0) {
        if (slot === end) { results[${R_STOPPED}] = j; results[${R_VERDICT}] = ${CROWDED}; return at; }
        const verdict = judge(${listed(words, (w) => `w${w}`)});
        if (verdict !== 0) { results[${R_STOPPED}] = j; results[${R_VERDICT}] = verdict; return at; }
        ${listed(words, (w) => `${at('table', 'slot', w)} = w${w};`, ' ')}
        ${listed(words, (w) => `${at('next', 'at', w)} = w${w};`, ' ')}
        at += ${words};
        break;
      }
      slot += ${words};
    }
  }
  results[${R_STOPPED}] = count;
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
function grow(table, slots, guard, shift) {
  table.fill(0, (slots + guard) * ${words}, (2 * slots + guard) * ${words});
  const waiting = [];
  const last = (2 * slots + guard - 1) * ${words};
  const put = (${listed(words, (w) => `w${w}`)}, home) => {
    let i = home;
    while (table[i] !== 0) i += ${words};
    if (i >= last) throw new RangeError('the table of states has a crowd at its end');
    ${listed(words, (w) => `${at('table', 'i', w)} = w${w};`, ' ')}
  };
  for (let i = (slots + guard - 1) * ${words}; i >= 0; i -= ${words}) {
    const w0 = table[i];
    if (w0 === 0) continue;
    ${listed(words - 1, (w) => `const w${w + 1} = table[i + ${w + 1}];`, ' ')}
    ${listed(words, (w) => `${at('table', 'i', w)} = 0;`, ' ')}
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
  /** Appends the successors of frontier[state..to) to batch[filled..limit), up to results[R_POSITION]. */
  expand(
    frontier: Int32Array,
    state: number,
    to: number,
    batch: Int32Array,
    filled: number,
    limit: number,
    results: Int32Array,
    reportsDead: boolean,
  ): number;
  prepare(table: Int32Array, batch: Int32Array, count: number, homes: Int32Array, shift: number): number;
  /**
   * For the successors j..count-1: new ones are appended to next[at..). Stops before one that is bad (R_STOPPED,
   * R_VERDICT). Returns the new `at`.
   */
  insert(
    table: Int32Array,
    batch: Int32Array,
    j: number,
    count: number,
    homes: Int32Array,
    next: Int32Array,
    at: number,
    end: number,
    results: Int32Array,
  ): number;
  grow(table: Int32Array, slots: number, guard: number, shift: number): void;
  successors(...wordsOutAt: (number | Int32Array)[]): number;
  judge(...words: number[]): number;
}
