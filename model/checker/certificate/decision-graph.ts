/**
 * A set of words of bits as a reduced ordered decision diagram (Bryant 1986): words that go on alike share a node.
 */
import { type AndGraph, FALSE, type Literal, TRUE } from '../translate/aiger/and-graph';

/** The nodes of the empty set, and of the set of all words. */
const NONE = 0;
const ALL = 1;

interface DecisionNode {
  readonly bit: number;
  readonly zero: number;
  readonly one: number;
}

export class DecisionGraph {
  /** In the order in which they are made: after what they lead to. */
  private readonly nodes: DecisionNode[] = [
    { bit: -1, zero: NONE, one: NONE },
    { bit: -1, zero: ALL, one: ALL },
  ];
  private readonly known = new Map<string, number>();
  private readonly root: number;

  constructor(words: readonly Uint8Array[]) {
    this.root = this.node(words, 0);
  }

  get size(): number {
    return this.nodes.length;
  }

  private node(words: readonly Uint8Array[], bit: number): number {
    if (words.length === 0) return NONE;
    if (bit === words[0].length) return ALL;
    const zero = this.node(
      words.filter((word) => word[bit] === 0),
      bit + 1,
    );
    const one = this.node(
      words.filter((word) => word[bit] === 1),
      bit + 1,
    );
    if (zero === one) return zero;
    const key = `${bit} ${zero} ${one}`;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    this.nodes.push({ bit, zero, one });
    this.known.set(key, this.nodes.length - 1);
    return this.nodes.length - 1;
  }

  /** When these bits are a word of the set. */
  contains(graph: AndGraph, bits: readonly Literal[]): Literal {
    const literals: Literal[] = [FALSE, TRUE];
    for (const { bit, zero, one } of this.nodes.slice(2))
      literals.push(graph.choose(bits[bit], literals[one], literals[zero]));
    return literals[this.root];
  }
}
