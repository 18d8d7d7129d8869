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
