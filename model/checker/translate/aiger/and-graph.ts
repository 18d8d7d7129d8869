/**
 * Boolean functions as a graph of conjunctions and negations, in the numbering of AIGER: a literal is twice the number
 * of its variable, plus one where it is negated; 0 is false and 1 is true. Equal conjunctions are one node.
 */

/** A variable of the graph, or its negation. */
export type Literal = number;

export const FALSE: Literal = 0;
export const TRUE: Literal = 1;

export function not(literal: Literal): Literal {
  return literal ^ 1;
}

export function truth(value: boolean): Literal {
  return value ? TRUE : FALSE;
}

export class AndGraph {
  /** By variable, the operands of its conjunction; 0 and 0 where it has none. */
  private readonly lefts: number[] = [0];
  private readonly rights: number[] = [0];
  private readonly known = new Map<number, Literal>();

  /** Variables, with the constant. */
  get size(): number {
    return this.lefts.length;
  }

  /** A new variable that is no conjunction. */
  variable(): Literal {
    this.lefts.push(0);
    this.rights.push(0);
    return 2 * (this.lefts.length - 1);
  }

  /** The operands of the conjunction with this variable; undefined if it is none. */
  operands(variable: number): readonly [Literal, Literal] | undefined {
    const [left, right] = [this.lefts[variable], this.rights[variable]];
    return right === 0 ? undefined : [left, right];
  }

  and(a: Literal, b: Literal): Literal {
    if (a === b || b === TRUE) return a;
    if (a === TRUE) return b;
    if (a === FALSE || b === FALSE || a === not(b)) return FALSE;
    const [left, right] = a > b ? [a, b] : [b, a];
    const key = left * 2 ** 26 + right;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const literal = 2 * this.lefts.length;
    if (literal >= 2 ** 26) throw new RangeError('expected at most 33 million conjunctions: choose smaller bounds');
    this.lefts.push(left);
    this.rights.push(right);
    this.known.set(key, literal);
    return literal;
  }

  or(a: Literal, b: Literal): Literal {
    return not(this.and(not(a), not(b)));
  }

  /** `yes` where the condition holds, `no` elsewhere. */
  choose(condition: Literal, yes: Literal, no: Literal): Literal {
    if (yes === no) return yes;
    if (yes === TRUE || condition === yes) return this.or(condition, no);
    if (no === FALSE || condition === no) return this.and(condition, yes);
    if (yes === FALSE || condition === not(yes)) return this.and(not(condition), no);
    if (no === TRUE || condition === not(no)) return this.or(not(condition), yes);
    return this.or(this.and(condition, yes), this.and(not(condition), no));
  }

  same(a: Literal, b: Literal): Literal {
    return this.choose(a, b, not(b));
  }

  all(literals: readonly Literal[]): Literal {
    return literals.reduce((left, right) => this.and(left, right), TRUE);
  }

  any(literals: readonly Literal[]): Literal {
    return literals.reduce((left, right) => this.or(left, right), FALSE);
  }
}
