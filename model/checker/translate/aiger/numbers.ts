/**
 * Small numbers of which a circuit decides which one it is: for each value the literal that says so. Values whose
 * literal is false are left out; a number that is nothing at all (an index below 0 was read) has none.
 */
import { type AndGraph, FALSE, type Literal, not, TRUE } from './and-graph';

/** By value, in ascending order. */
export type Choice = ReadonlyMap<number, Literal>;

export function constant(value: number): Choice {
  return new Map([[value, TRUE]]);
}

/** The value of a bit. */
export function bit(literal: Literal): Choice {
  return new Map([
    [0, not(literal)],
    [1, literal],
  ]);
}

/** Bits that it takes to tell so many values apart. */
export function bitsFor(size: number): number {
  return size <= 1 ? 0 : 32 - Math.clz32(size - 1);
}

/** The number that these bits are in binary, the lowest first, if it is less than `size`. */
export function decoded(graph: AndGraph, bits: readonly Literal[], size: number): Choice {
  const result = new Map<number, Literal>();
  for (let value = 0; value < size; value++)
    result.set(value, graph.all(bits.map((literal, i) => ((value >> i) & 1 ? literal : not(literal)))));
  return result;
}

/** The number in binary. */
export function encoded(graph: AndGraph, choice: Choice, bits: number): Literal[] {
  return Array.from({ length: bits }, (_, i) =>
    graph.any([...choice].flatMap(([value, literal]) => ((value >> i) & 1 ? [literal] : []))),
  );
}

/** Every pair of values, and when both are those. */
function pairs(graph: AndGraph, left: Choice, right: Choice): (readonly [number, number, Literal])[] {
  return [...left].flatMap(([a, whenA]) =>
    [...right].map(([b, whenB]) => [a, b, graph.and(whenA, whenB)] as const).filter(([, , when]) => when !== FALSE),
  );
}

/** When the two values are in this relation. */
export function related(
  graph: AndGraph,
  left: Choice,
  right: Choice,
  isSo: (a: number, b: number) => boolean,
): Literal {
  return graph.any(pairs(graph, left, right).flatMap(([a, b, when]) => (isSo(a, b) ? [when] : [])));
}

/** What an operation makes of the two values. */
export function combined(
  graph: AndGraph,
  left: Choice,
  right: Choice,
  operation: (a: number, b: number) => number,
): Choice {
  const result = new Map<number, Literal>();
  for (const [a, b, when] of pairs(graph, left, right)) {
    const value = operation(a, b);
    result.set(value, graph.or(result.get(value) ?? FALSE, when));
  }
  return result;
}

/** `yes` where the condition holds, `no` elsewhere. */
export function chosen(graph: AndGraph, condition: Literal, yes: Choice, no: Choice): Choice {
  if (yes === no || condition === TRUE) return yes;
  if (condition === FALSE) return no;
  const result = new Map<number, Literal>();
  for (const value of new Set([...yes.keys(), ...no.keys()])) {
    const when = graph.choose(condition, yes.get(value) ?? FALSE, no.get(value) ?? FALSE);
    if (when !== FALSE) result.set(value, when);
  }
  return result;
}
