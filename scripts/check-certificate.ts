/**
 * `bash scripts/check-certificate.sh` runs this. Exports the abstract machine of a design at given bounds as AIGER,
 * with unlimited events, and asks a SAT solver, two queries at a time, whether the certificate of its proof is an
 * inductive invariant that implies every property. With --plants: wrong certificates, and one wrong design, each of
 * which has to be rejected. A line for each; exit code 1 if one is wrong.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Checked, type CheckOptions, checkCertificate } from '../model/checker/certificate/check';
import { DESIGNS } from '../properties/designs/registry';
import { plantsOf } from './certificate-plants';
import { satSolver } from './sat-solver';

const BOUNDS = ['cpus', 'tasks', 'mms', 'nesting'] as const;
const SMALLEST = { cpus: '1', tasks: '2', mms: '1', nesting: '3' };
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    design: { type: 'string' },
    cpus: { type: 'string', default: '2' },
    tasks: { type: 'string', default: '2' },
    mms: { type: 'string', default: '1' },
    nesting: { type: 'string', default: 'any' },
    solver: { type: 'string' },
    plants: { type: 'boolean', default: false },
  },
});

const folder = mkdtempSync(join(tmpdir(), 'pti-check-certificate-'));
const solver = satSolver(values.solver, folder);
const options: CheckOptions = { solve: solver.solve, atOnce: 2 };

function ptiCheck(...words: string[]): string {
  return execFileSync('node', ['dist/properties/cli/main.js', ...words], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
}

function certificateOf(design: string): string {
  const file = join(folder, 'certificate');
  ptiCheck('prove', '--design', design, '--certificate', file);
  return readFileSync(file, 'utf8');
}

type Sizes = Readonly<Record<(typeof BOUNDS)[number], string>>;

function aigerOf(design: string, sizes: Sizes): string {
  const bounds = BOUNDS.flatMap((name) => [`--${name}`, sizes[name]]);
  return ptiCheck('export', '--to', 'aiger', '--design', design, ...bounds, '--nmis', 'any', '--irqs', 'any');
}

let wrong = 0;
function tell(ok: boolean, text: string): void {
  if (!ok) wrong++;
  console.log(`${ok ? 'ok   ' : 'WRONG'} ${text}`);
}

const isRejected = ({ unreadable, wrong: found }: Checked) => unreadable !== undefined || found.length > 0;
const why = ({ unreadable, wrong: found }: Checked) => unreadable ?? `satisfiable: ${found.join(', ')}`;

async function check(certificate: string, design: string): Promise<void> {
  const aiger = aigerOf(design, values);
  const started = performance.now();
  const checked = await checkCertificate(certificate, aiger, options);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const { queries, asked, nodes } = checked;
  const sizes = BOUNDS.map((name) => `${name} ${values[name]}`).join(', ');
  const size = `${certificate.length} bytes, ${nodes} nodes; ${queries} queries, ${asked} of them asked of ${solver.name}, ${seconds} s`;
  tell(
    !isRejected(checked),
    `${design}, ${sizes}: ${isRejected(checked) ? why(checked) : 'all unsatisfiable'}; ${size}`,
  );
}

async function plants(): Promise<void> {
  const right = certificateOf('mainline');
  const aiger = aigerOf('mainline', SMALLEST);
  tell(!isRejected(await checkCertificate(right, aiger, options)), 'the right certificate is accepted');
  for (const { name, text } of plantsOf(right, certificateOf('deferred-pertask'))) {
    const checked = text === right ? undefined : await checkCertificate(text, aiger, { ...options, first: true });
    tell(
      checked !== undefined && isRejected(checked),
      `${name}: ${checked === undefined ? 'nothing is planted' : why(checked)}`,
    );
  }
  const mutant = await checkCertificate(right, aigerOf('mainline+nmi-exit-decides-cr3-by-gs', SMALLEST), options);
  tell(`${mutant.wrong}` === 'nmi-iret-to-kernel(c0)', `mainline+nmi-exit-decides-cr3-by-gs: ${why(mutant)}`);
}

async function main(): Promise<void> {
  const [file] = positionals;
  if (values.plants) return plants();
  if (file !== undefined) {
    const text = readFileSync(file, 'utf8');
    const named = /^design (.*)$/m.exec(text)?.[1];
    return check(text, values.design ?? named ?? 'mainline');
  }
  const safe = DESIGNS.filter(({ expected }) => expected === 'safe').map(({ id }) => id);
  for (const design of values.design === undefined ? safe : [values.design]) await check(certificateOf(design), design);
}

main()
  .finally(() => rmSync(folder, { recursive: true }))
  .then(() => {
    process.exitCode = wrong === 0 ? 0 : 1;
  });
