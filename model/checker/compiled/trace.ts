/**
 * Rebuilds a trace from the levels of a search: the parent of a state is the first one of the level before it that has
 * it among its successors, which is how explore(), too, came to know it.
 */
import type { Transient } from '../language/schema-types';
import type { CompiledModel } from './compiled-model';
import { MAX_SUCCESSOR_WORDS } from './ordered-kernel';
import type { OrderedSearch } from './ordered-search';

/** Instance numbers from the initial state to this one of level `depth`. */
export function pathTo<S extends Transient, D>(
  compiled: CompiledModel<S, D>,
  search: OrderedSearch<S, D>,
  state: Int32Array,
  depth: number,
): number[] {
  const { words } = compiled;
  const kernel = compiled.kernel();
  const list = search.list();
  const out = new Int32Array(MAX_SUCCESSOR_WORDS);
  const none = new Int32Array(4);
  const path: number[] = [];
  let wanted = state;
  for (let level = depth - 1; level >= 0; level--) {
    const step = parentOf(level);
    if (step === undefined) throw new Error(`the state of level ${level + 1} has no parent: a bug of the search`);
    path.push(step.instance);
    wanted = list.slice(step.at, step.at + words);
  }
  return path.reverse();

  function parentOf(level: number): { at: number; instance: number } | undefined {
    const end = search.levels[level + 1] ?? search.end;
    for (let at = search.levels[level]; at < end; at += words) {
      const n = kernel.expand(list, at, at + words, out, 0, 1, none, false);
      for (let p = 0; p < n; p += words + 1) if (isWanted(p)) return { at, instance: out[p + words] };
    }
    return undefined;
  }

  function isWanted(p: number): boolean {
    // What stands behind a marker is the state itself, and no successor.
    if (p > 0 && (out[p - words - 1] & 1) === 0) return false;
    for (let w = 0; w < words; w++) if (out[p + w] !== wanted[w]) return false;
    return true;
  }
}
