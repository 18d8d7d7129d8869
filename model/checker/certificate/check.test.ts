/**
 * Promises: the certificate of a proof is accepted, with views of one CPU and of two; one that lacks a value, or has
 * one that is wrong, is rejected, and so is a file that is damaged.
 */
import { join } from 'node:path';
import { type Coupling, coupled } from '../compiled/testing/coupled';
import type { Bounds } from '../language/schema-types';
import { certificateText } from '../prove/certificate-text';
import { prove } from '../prove/prove';
import { exportModel } from '../translate/export';
import { type Checked, checkCertificate } from './check';
import { satisfiable } from './testing/small-solver';

const FILES = [join(__dirname, '..', 'compiled', 'testing', 'coupled.ts')];
const LIKE: Bounds = { cpus: 2, tasks: 1, mms: 0, nesting: 0, nmis: 0, irqs: 0 };

const modelAt =
  (coupling: Coupling) =>
  ({ cpus, tasks }: Pick<Bounds, 'cpus' | 'tasks'>) => ({
    ...coupled({ ...coupling, cpus, tasks }),
    ruleFiles: () => FILES,
  });

function certificateOf(coupling: Coupling): string {
  const { closure, verdict } = prove(modelAt(coupling), LIKE);
  expect(verdict).toBe('proved');
  return certificateText(closure, 'coupled', 'running');
}

function check(coupling: Coupling, certificate: string): Promise<Checked> {
  const aiger = exportModel(modelAt(coupling)({ cpus: 2, tasks: 2 }), 'coupled', 'aiger');
  return checkCertificate(certificate, aiger, { solve: (cnf) => Promise.resolve(satisfiable(cnf)), atOnce: 1 });
}

/** Without the view at this place, from 0. */
function without(certificate: string, view: number): string {
  const lines = certificate.split('\n');
  const at = lines.findIndex((line) => line.startsWith('views '));
  const count = Number(lines[at].slice('views '.length));
  return [...lines.slice(0, at), `views ${count - 1}`, ...lines.slice(at + 1).filter((_, i) => i !== view)].join('\n');
}

const ALONE: Coupling = { rules: ['toil', 'switchBlindly'], invariants: ['threadsApart'] };
const PAIRS: Coupling = { rules: ['approach', 'enterAlone', 'wrap'], invariants: ['notBothAtThree'] };

test.each([
  ['one CPU', ALONE, 'tracked 1'],
  ['two CPUs', PAIRS, 'tracked 2'],
])('views of %s: accepted, and rejected without any one of them', async (_, coupling, tracked) => {
  const certificate = certificateOf(coupling);
  expect(certificate).toContain(tracked);
  expect(await check(coupling, certificate)).toMatchObject({ wrong: [] });
  const { wrong } = await check(coupling, without(certificate, 0));
  expect(wrong.length).toBeGreaterThan(0);
});

test('what another model needs is not enough', async () => {
  const { wrong } = await check(
    { rules: ['approach', 'advance', 'wrap'], invariants: ['notBothAtThree'] },
    certificateOf(PAIRS),
  );
  expect(wrong).toContain('advance(c0)');
});

test('a damaged file is told as one', async () => {
  const certificate = certificateOf(ALONE);
  for (const text of ['', certificate.slice(0, -5), certificate.replace('tracked 1', 'tracked 2')]) {
    const { unreadable } = await check(ALONE, text);
    expect(unreadable).toMatch(/^expected .* found /);
  }
});
