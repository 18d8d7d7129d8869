/**
 * An order of values in which a step leads to a later one unless it closes a cycle: the reverse of the order in which a
 * depth-first search leaves them. What is added to one value then goes on to all that follow in one sweep.
 */
export function stepOrder(steps: readonly (readonly number[])[], count: number): Int32Array {
  const order = new Int32Array(count);
  const seen = new Uint8Array(count);
  const path = new Int32Array(count);
  const next = new Int32Array(count);
  let end = count;
  for (let start = 0; start < count; start++) {
    if (seen[start] === 1) continue;
    let depth = 0;
    path[0] = start;
    seen[start] = 1;
    while (depth >= 0) {
      const value = path[depth];
      const list = steps[value];
      if (next[value] === list.length) {
        order[--end] = value;
        depth--;
        continue;
      }
      const successor = list[next[value]++];
      if (seen[successor] === 1) continue;
      seen[successor] = 1;
      path[++depth] = successor;
    }
  }
  return order;
}

/**
 * The values from which the steps lead to all others, as few as there can be. `order`: one of stepOrder(). What is not
 * reached from earlier values of it is reached from later ones only by way of itself.
 */
export function sourcesOf(steps: readonly (readonly number[])[], order: Int32Array): Int32Array {
  const sources: number[] = [];
  const seen = new Uint8Array(steps.length);
  for (const source of order) {
    if (seen[source] === 1) continue;
    sources.push(source);
    const open = [source];
    seen[source] = 1;
    for (let value = open.pop(); value !== undefined; value = open.pop())
      for (const successor of steps[value]) {
        if (seen[successor] === 0) open.push(successor);
        seen[successor] = 1;
      }
  }
  return Int32Array.from(sources);
}
