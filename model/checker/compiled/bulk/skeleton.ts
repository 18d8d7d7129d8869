/**
 * The few values of a CPU that matter to the others: with which it crosses to another region, with which it comes, and
 * on a way from these to those. A CPU that is kept to them leads the other CPUs everywhere, for to them all of its
 * other values are alike. So a search that begins with them learns what the others can do from a few columns of their
 * matrices; what it has to do for the rest is mostly to say that rows are full.
 */

type Steps = readonly (Int32Array | undefined)[];

/**
 * `steps`: what local steps of each value lead to. `entries`: the values with which the CPU comes. `crossing`: those
 * with which it goes.
 */
export function skeletonOf(steps: Steps, entries: Iterable<number>, crossing: readonly number[]): Set<number> {
  const skeleton = new Set(entries);
  const comes = [...skeleton];
  const before = predecessorsOf(steps);
  for (const end of crossing) {
    const onward = waysTo(end, before);
    for (const entry of comes)
      if (onward[entry] >= 0) for (let value = entry; value !== end; value = onward[value]) skeleton.add(value);
    if (comes.some((entry) => onward[entry] >= 0)) skeleton.add(end);
  }
  return skeleton;
}

/**
 * Adds values that a step leads to from others of the skeleton, until their number is a multiple of `size` if that is
 * possible. Words of a row that only the skeleton has a bit in can get all their bits.
 */
export function fillUp(skeleton: ReadonlySet<number>, steps: Steps, size: number): Set<number> {
  const filled = new Set(skeleton);
  // A set goes on to what is added to it meanwhile.
  for (const value of filled)
    for (const target of steps[value] ?? []) {
      if (filled.size % size === 0) return filled;
      filled.add(target);
    }
  return filled;
}

/** The values that lead to each value. */
function predecessorsOf(steps: Steps): number[][] {
  const before: number[][] = Array.from(steps, () => []);
  for (let value = 0; value < steps.length; value++)
    for (const target of steps[value] ?? []) before[target].push(value);
  return before;
}

/** For each value the next one on a shortest way to `end`, or -1. */
function waysTo(end: number, before: readonly (readonly number[])[]): Int32Array {
  const onward = new Int32Array(before.length).fill(-1);
  onward[end] = end;
  const open = [end];
  for (let next = 0; next < open.length; next++)
    for (const value of before[open[next]])
      if (onward[value] < 0) {
        onward[value] = open[next];
        open.push(value);
      }
  return onward;
}

/**
 * New numbers for so many values, by the old ones: those of the skeleton come first, then one kin after the other.
 */
export function numbersFor(skeleton: ReadonlySet<number>, kin: Int32Array): Int32Array {
  const numbers = new Int32Array(kin.length).fill(-1);
  let next = 0;
  for (const value of skeleton) numbers[value] = next++;
  const others = Array.from(kin, (_, value) => value).filter((value) => numbers[value] < 0);
  for (const value of others.sort((a, b) => kin[a] - kin[b] || a - b)) numbers[value] = next++;
  return numbers;
}

/**
 * For each of so many values a number, the same for values that are reached from the same ones of `sources`. A row that
 * never gets all bits mostly lacks whole kin.
 */
export function kinOf(steps: Steps, sources: Iterable<number>, count: number): Int32Array {
  const kin = new Int32Array(count);
  for (const source of sources) {
    const reached = reachOf(steps, source, count);
    const keys = kin.map((number, value) => 2 * number + reached[value]);
    const ranks = new Int32Array(2 * count);
    for (const key of keys) ranks[key] = 1;
    for (let key = 0, rank = 0; key < ranks.length; key++) if (ranks[key] === 1) ranks[key] = rank++;
    for (let value = 0; value < count; value++) kin[value] = ranks[keys[value]];
  }
  return kin;
}

/** By the value: 1 if steps lead there. */
function reachOf(steps: Steps, source: number, count: number): Uint8Array {
  const reached = new Uint8Array(count);
  const open = [source];
  reached[source] = 1;
  for (let value = open.pop(); value !== undefined; value = open.pop())
    for (const target of steps[value] ?? []) {
      if (reached[target] === 0) open.push(target);
      reached[target] = 1;
    }
  return reached;
}
