/**
 * Entries of a list of successors that are no states: a violating application, or one that has no code in the layout.
 * Bit 0 of a state's first word is 1, that of a marker is 0. The entry behind a marker is the state that the rule was
 * applied to, and no successor.
 *
 *   | property 14 bits | instance 17 bits | 0 |
 */

/** A rule stored a value for which the layout has no code. */
export const NO_CODE = 0x3fff;
/** A rule used an index out of range: a bug of the model, which guardedModel finds too. */
export const NO_CELL = 0x3ffe;
/** Never in a list of successors: a part of a tree that has not been grown (prove/grown-tree.ts). */
export const NOT_GROWN = 0x3ffd;

export const MAX_INSTANCES = 1 << 17;

export function markerOf(property: number, instance: number): number {
  return (property << 18) | (instance << 1);
}

export function markedProperty(word: number): number {
  return word >>> 18;
}

export function markedInstance(word: number): number {
  return (word >>> 1) & (MAX_INSTANCES - 1);
}
