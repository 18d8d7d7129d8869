/**
 * A SAT solver of the system: MiniSat, or CaDiCaL where there is no MiniSat, which needs less time for many small
 * queries.
 */
import { spawn, spawnSync } from 'node:child_process';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Exit codes of the SAT competition. */
const SATISFIABLE = 10;
const UNSATISFIABLE = 20;

const COMMANDS: Readonly<Record<string, readonly string[]>> = {
  minisat: ['minisat', '-verb=0'],
  cadical: ['cadical', '-q', '-n'],
};

interface Solver {
  readonly name: string;
  solve(cnf: string): Promise<boolean>;
}

/** The solver of this name, or the first that there is. Its files lie in `folder`. */
export function satSolver(asked: string | undefined, folder: string): Solver {
  const names = asked === undefined ? Object.keys(COMMANDS) : [asked];
  const name = names.find((each) => each in COMMANDS && spawnSync('which', [each]).status === 0);
  if (name === undefined) throw new Error(`expected a SAT solver, found none of ${names.join(', ')}`);
  const [command, ...flags] = COMMANDS[name];
  let files = 0;
  return {
    name,
    solve: (cnf) =>
      new Promise((resolve, reject) => {
        const file = join(folder, `${files++}.cnf`);
        writeFileSync(file, cnf);
        const child = spawn(command, [...flags, file], { stdio: 'ignore' });
        child.on('error', reject);
        child.on('close', (code) => {
          rmSync(file);
          if (code === SATISFIABLE || code === UNSATISFIABLE) resolve(code === SATISFIABLE);
          else reject(new Error(`${name} ended with ${code}`));
        });
      }),
  };
}
