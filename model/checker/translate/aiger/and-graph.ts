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

/** More literals than this do not fit into a key. */
const MOST = 2 ** 26;

function keyOf(left: Literal, right: Literal): number {
  return left * MOST + right;
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

  /** Removes all variables from this one on. */
  forget(from: number): void {
    for (let variable = this.size - 1; variable >= from; variable--) {
      const operands = this.operands(variable);
      if (operands !== undefined) this.known.delete(keyOf(...operands));
      this.lefts.pop();
      this.rights.pop();
    }
  }

  /** The operands of the conjunction with this variable; undefined if it is none. */
  operands(variable: number): readonly [Literal, Literal] | undefined {
    const [left, right] = [this.lefts[variable], this.rights[variable]];
    return right === 0 ? undefined : [left, right];
  }

  /** By variable, 1 for those that the literals depend on. */
  usedBy(literals: readonly Literal[]): Uint8Array {
    const isUsed = new Uint8Array(this.size);
    for (const literal of literals) isUsed[literal >> 1] = 1;
    for (let variable = this.size - 1; variable > 0; variable--)
      if (isUsed[variable] === 1) for (const operand of this.operands(variable) ?? []) isUsed[operand >> 1] = 1;
    return isUsed;
  }

  /** The variables that are no conjunctions and on which the literal depends. */
  variablesOf(literal: Literal): Set<number> {
    const found = new Set<number>();
    const waiting = [literal >> 1];
    const met = new Set(waiting);
    for (let variable = waiting.pop(); variable !== undefined; variable = waiting.pop()) {
      const operands = this.operands(variable);
      if (operands === undefined && variable !== 0) found.add(variable);
      for (const operand of operands ?? []) {
        if (met.has(operand >> 1)) continue;
        met.add(operand >> 1);
        waiting.push(operand >> 1);
      }
    }
    return found;
  }

  /** Literals of which the literal is the conjunction, as small ones as there are. */
  conjuncts(literal: Literal): Literal[] {
    const operands = literal & 1 ? undefined : this.operands(literal >> 1);
    return operands === undefined ? [literal] : operands.flatMap((operand) => this.conjuncts(operand));
  }

  and(a: Literal, b: Literal): Literal {
    if (a === b || b === TRUE) return a;
    if (a === TRUE) return b;
    if (a === FALSE || b === FALSE || a === not(b)) return FALSE;
    const [left, right] = a > b ? [a, b] : [b, a];
    const key = keyOf(left, right);
    const known = this.known.get(key);
    if (known !== undefined) return known;
    const shared = this.sharedBy(left, right);
    if (shared !== undefined) return shared;
    const literal = 2 * this.lefts.length;
    if (literal >= MOST) throw new RangeError('expected at most 33 million conjunctions: choose smaller bounds');
    this.lefts.push(left);
    this.rights.push(right);
    this.known.set(key, literal);
    return literal;
  }

  /** Neither `c and x` nor `not c and x`, which is `not x`: a choice between two things that are the same. */
  private sharedBy(left: Literal, right: Literal): Literal | undefined {
    if ((left & 1) === 0 || (right & 1) === 0) return undefined;
    const [a, b] = [this.operands(left >> 1), this.operands(right >> 1)];
    if (a === undefined || b === undefined) return undefined;
    for (const i of [0, 1])
      for (const j of [0, 1]) if (a[i] === not(b[j]) && a[1 - i] === b[1 - j]) return not(a[1 - i]);
    return undefined;
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
