/**
 * A graph of conjunctions as clauses (Tseitin 1968), in the DIMACS format of SAT solvers. A choice between two literals
 * is one variable with six clauses, and not three conjunctions.
 */
import { type AndGraph, FALSE, type Literal, not, TRUE } from '../translate/aiger/and-graph';

interface Choice {
  readonly condition: Literal;
  readonly yes: Literal;
  readonly no: Literal;
}

/** What a conjunction of two negated conjunctions is, where these have an operand and its negation. */
function choiceOf(graph: AndGraph, variable: number): Choice | undefined {
  const [left, right] = graph.operands(variable) ?? [TRUE, TRUE];
  if ((left & 1) === 0 || (right & 1) === 0) return undefined;
  const [a, b] = [graph.operands(left >> 1), graph.operands(right >> 1)];
  if (a === undefined || b === undefined) return undefined;
  for (const i of [0, 1] as const)
    for (const j of [0, 1] as const)
      if (a[i] === not(b[j])) return { condition: a[i], yes: not(a[1 - i]), no: not(b[1 - j]) };
  return undefined;
}

/** Clauses that are satisfiable if and only if all the literals can be true at once. */
export function dimacs(graph: AndGraph, literals: readonly Literal[]): string {
  if (literals.includes(FALSE)) return 'p cnf 1 1\n0\n';
  /** By variable of the graph, its number here. */
  const numbers = new Int32Array(graph.size);
  const waiting: number[] = [];
  const lines: string[] = [];
  let count = 0;
  const named = (literal: Literal): number => {
    const variable = literal >> 1;
    if (numbers[variable] === 0) {
      numbers[variable] = ++count;
      waiting.push(variable);
    }
    return literal & 1 ? -numbers[variable] : numbers[variable];
  };
  for (const literal of new Set(literals)) if (literal !== TRUE) lines.push(`${named(literal)} 0`);
  let clauses = lines.length;
  for (let variable = waiting.pop(); variable !== undefined; variable = waiting.pop()) {
    const operands = graph.operands(variable);
    if (operands === undefined) continue;
    const itself = numbers[variable];
    const choice = choiceOf(graph, variable);
    if (choice === undefined) {
      const [left, right] = operands.map(named);
      lines.push(`${-itself} ${left} 0\n${-itself} ${right} 0\n${itself} ${-left} ${-right} 0`);
      clauses += 3;
      continue;
    }
    const [condition, yes, no] = [choice.condition, choice.yes, choice.no].map(named);
    lines.push(
      `${-itself} ${-condition} ${yes} 0\n${-itself} ${condition} ${no} 0`,
      `${itself} ${-condition} ${-yes} 0\n${itself} ${condition} ${-no} 0`,
      // Implied, and they help the solver: where both are alike the condition does not matter.
      `${-itself} ${yes} ${no} 0\n${itself} ${-yes} ${-no} 0`,
    );
    clauses += 6;
  }
  return `p cnf ${Math.max(1, count)} ${clauses}\n${lines.join('\n')}\n`;
}
