/**
 * A SAT solver for the small queries of tests: unit propagation and splitting (Davis, Logemann, Loveland 1962).
 */

type Clause = readonly number[];

/** The clauses that are left where the literal is true; undefined if one has become empty. */
function assigned(clauses: readonly Clause[], literal: number): Clause[] | undefined {
  const left: Clause[] = [];
  for (const clause of clauses) {
    if (clause.includes(literal)) continue;
    const rest = clause.filter((each) => each !== -literal);
    if (rest.length === 0) return undefined;
    left.push(rest);
  }
  return left;
}

function solved(given: readonly Clause[]): boolean {
  let clauses = given;
  for (let unit = clauses.find(({ length }) => length === 1); unit !== undefined; ) {
    const left = assigned(clauses, unit[0]);
    if (left === undefined) return false;
    clauses = left;
    unit = clauses.find(({ length }) => length === 1);
  }
  if (clauses.length === 0) return true;
  const [[literal]] = clauses;
  return [literal, -literal].some((each) => {
    const left = assigned(clauses, each);
    return left !== undefined && solved(left);
  });
}

/** Can all clauses of a DIMACS file be true? */
export function satisfiable(cnf: string): boolean {
  const lines = cnf.trim().split('\n').slice(1);
  const clauses = lines.map((line) => line.split(' ').slice(0, -1).map(Number));
  return clauses.every(({ length }) => length > 0) && solved(clauses);
}
