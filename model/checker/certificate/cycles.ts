/**
 * What an AIGER file does in one cycle where its inputs are a given number: its latches afterwards and its bad outputs,
 * as functions of the latches before.
 */
import { type AndGraph, FALSE, type Literal, TRUE, truth } from '../translate/aiger/and-graph';
import type { Aiger } from './aiger';

const UNKNOWN = 2;

export class Cycles {
  private readonly aiger: Aiger;
  private readonly graph: AndGraph;

  constructor(aiger: Aiger, graph: AndGraph) {
    this.aiger = aiger;
    this.graph = graph;
  }

  /** `latches`: literals of the graph, some of which may be constants. */
  cycle(number: number, latches: readonly Literal[]): { readonly next: Literal[]; readonly bad: Literal[] } {
    const { aiger, graph } = this;
    const { lefts, rights, size } = aiger;
    const constants = this.constants(number, latches);
    const isNeeded = this.needed(constants);
    const values = new Int32Array(size);
    for (const [i, { literal }] of aiger.latches.entries()) values[literal >> 1] = latches[i];
    const literalIn = (literal: Literal) => values[literal >> 1] ^ (literal & 1);
    for (let variable = 0; variable < size; variable++) {
      if (constants[variable] !== UNKNOWN) values[variable] = constants[variable];
      else if (isNeeded[variable] === 1)
        values[variable] = graph.and(literalIn(lefts[variable]), literalIn(rights[variable]));
    }
    return {
      next: aiger.latches.map(({ next }) => literalIn(next)),
      bad: aiger.bad.map(({ literal }) => literalIn(literal)),
    };
  }

  /** By variable, FALSE or TRUE where the inputs and the constant latches decide it, else UNKNOWN. */
  private constants(number: number, latches: readonly Literal[]): Uint8Array {
    const { aiger } = this;
    const { inputs, lefts, rights, size } = aiger;
    const constants = new Uint8Array(size).fill(UNKNOWN);
    constants[0] = FALSE;
    for (const [i, literal] of inputs.entries()) constants[literal >> 1] = truth(((number >> i) & 1) === 1);
    for (const [i, { literal }] of aiger.latches.entries())
      if (latches[i] <= TRUE) constants[literal >> 1] = latches[i];
    const constantOf = (literal: Literal) =>
      constants[literal >> 1] === UNKNOWN ? UNKNOWN : constants[literal >> 1] ^ (literal & 1);
    for (let variable = 1; variable < size; variable++) {
      if (rights[variable] === 0) continue;
      const [left, right] = [constantOf(lefts[variable]), constantOf(rights[variable])];
      if (left === FALSE || right === FALSE) constants[variable] = FALSE;
      else if (left === TRUE && right === TRUE) constants[variable] = TRUE;
    }
    return constants;
  }

  /** The conjunctions that latches and bad outputs then depend on. */
  private needed(constants: Uint8Array): Uint8Array {
    const { latches, bad, lefts, rights, size } = this.aiger;
    const isNeeded = new Uint8Array(size);
    for (const { next } of latches) isNeeded[next >> 1] = 1;
    for (const { literal } of bad) isNeeded[literal >> 1] = 1;
    for (let variable = size - 1; variable > 0; variable--) {
      if (rights[variable] === 0) isNeeded[variable] = 0;
      if (isNeeded[variable] === 0 || constants[variable] !== UNKNOWN) continue;
      isNeeded[lefts[variable] >> 1] = 1;
      isNeeded[rights[variable] >> 1] = 1;
    }
    return isNeeded;
  }
}
