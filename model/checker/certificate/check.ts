/**
 * Checks a certificate against an AIGER file: every query goes to a SAT solver, and each has to be unsatisfiable.
 */
import { FALSE } from '../translate/aiger/and-graph';
import { readAiger } from './aiger';
import { CertificateError, readCertificate } from './certificate';
import { Queries } from './queries';

/** Is there an assignment that satisfies the clauses? */
type Solve = (cnf: string) => Promise<boolean>;

export interface Checked {
  /** What is wrong with the files, if they cannot be read. */
  readonly unreadable?: string;
  /** What is satisfiable and must not be: `nmi-iret-to-kernel(c0)`. */
  readonly wrong: readonly string[];
  readonly queries: number;
  /** Queries that the solver was asked: those that are left when what is false at once, and repetitions, are gone. */
  readonly asked: number;
  /** Of the decision diagrams. */
  readonly nodes: number;
}

export interface CheckOptions {
  readonly solve: Solve;
  /** Queries that the solver has at a time. */
  readonly atOnce: number;
  /** Is one thing that is wrong enough? */
  readonly first?: boolean;
  /** What is asked; default: everything. */
  readonly only?: (name: string) => boolean;
}

/** Both files as texts. */
export async function checkCertificate(certificate: string, aiger: string, options: CheckOptions): Promise<Checked> {
  let queries: Queries;
  try {
    queries = new Queries(readCertificate(certificate), readAiger(aiger));
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    return { unreadable: error.message, wrong: [], queries: 0, asked: 0, nodes: 0 };
  }
  return ask(queries, options);
}

async function ask(queries: Queries, { solve, atOnce, first, only }: CheckOptions): Promise<Checked> {
  const wrong = new Set<string>();
  const texts = new Set<string>();
  const running = new Set<Promise<void>>();
  let count = 0;
  for (const query of queries.all()) {
    if (only?.(query.name) === false) continue;
    count++;
    if (query.literals.includes(FALSE)) continue;
    const cnf = queries.cnf(query);
    if (texts.has(cnf)) continue;
    texts.add(cnf);
    const answer = solve(cnf).then((isSatisfiable) => {
      if (isSatisfiable) wrong.add(query.name);
      running.delete(answer);
    });
    running.add(answer);
    if (running.size >= atOnce) await Promise.race(running);
    if (first === true && wrong.size > 0) break;
  }
  await Promise.all(running);
  return { wrong: [...wrong], queries: count, asked: texts.size, nodes: queries.nodes };
}
