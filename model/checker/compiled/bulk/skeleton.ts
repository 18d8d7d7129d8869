/**
 * The few values of a CPU that matter to the others: with which it crosses to another region, with which it comes, and
 * on a way from these to those. A CPU that is kept to them leads the other CPUs everywhere, for to them all of its
 * other values are alike. So a search that begins with them learns what the others can do from a few columns of their
 * matrices; what it has to do for the rest is mostly to say that rows are full.
 */

/**
 * `steps`: what local steps of each value lead to. `entries`: the values with which the CPU comes. `crossing`: those
 * with which it goes.
 */
export function skeletonOf(
  steps: readonly (Int32Array | undefined)[],
  entries: Iterable<number>,
  crossing: readonly number[],
): Set<number> {
  const skeleton = new Set<number>();
  for (const entry of entries) {
    const before = waysFrom(steps, entry);
    skeleton.add(entry);
    for (const end of crossing)
      if (before.has(end))
        for (let value = end; value !== entry; value = before.get(value) ?? entry) skeleton.add(value);
  }
  return skeleton;
}

/** For each value that is reached from `entry`, the one before it on a shortest way. */
function waysFrom(steps: readonly (Int32Array | undefined)[], entry: number): Map<number, number> {
  const before = new Map([[entry, entry]]);
  const open = [entry];
  for (let next = 0; next < open.length; next++)
    for (const value of steps[open[next]] ?? [])
      if (!before.has(value)) {
        before.set(value, open[next]);
        open.push(value);
      }
  return before;
}

/** New numbers for so many values, by the old ones: those of the skeleton come first. */
export function numbersFor(skeleton: ReadonlySet<number>, count: number): Int32Array {
  const numbers = new Int32Array(count).fill(-1);
  let next = 0;
  for (const value of skeleton) numbers[value] = next++;
  for (let value = 0; value < count; value++) if (numbers[value] < 0) numbers[value] = next++;
  return numbers;
}
