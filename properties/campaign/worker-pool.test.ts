/**
 * Promises: a worker that dies is replaced and its task is done again, so that nobody sees it in the answer; one that
 * dies again and again ends the campaign with a sentence, and nothing that was found is lost. The workers run from
 * dist/, which `npm test` builds first.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type CampaignResult, runCampaign } from './dispatch';
import type { Found } from './tasks';
import { WorkerPool } from './worker-pool';

const PROGRAM = '../../dist/properties/campaign/testing/dying-worker';

let folder: string;
let pool: WorkerPool;
beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'pti-check-dying-'));
  pool = new WorkerPool(1, PROGRAM);
});
afterAll(async () => {
  await pool.close();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly result: CampaignResult;
  readonly found: readonly Found[];
}

/** A campaign of a few runs whose seed is always the same text, so that its runs are. */
async function campaign(design: string, deaths: readonly string[], runs: number): Promise<Ended> {
  const seed = path.join(folder, 'deaths');
  writeFileSync(seed, deaths.join('\n'));
  const found: Found[] = [];
  const request = { subject: { design }, seed, date: '2026-01-01', budget: { runs }, shard: { index: 1, of: 1 } };
  const result = await runCampaign(pool, request, { onFound: (one) => found.push(one) });
  if (result === undefined) throw new Error('the campaign was not begun');
  return { result, found };
}

test('runs, sweep and shrinking are done again, with the same result', async () => {
  const { result: calm } = await campaign('deferred-percpu', [], 40);
  const { result } = await campaign('deferred-percpu', ['runs', 'runs', 'shrink', 'shrink'], 40);
  // Directed walks have a share of the time: how many there were depends on the clock.
  const stable = (ended: CampaignResult) => ({ ...ended, seconds: 0, unasked: [] });
  expect(stable(result)).toEqual(stable(calm));
  expect(result.found?.failure).toMatchObject({ property: 'scheduled-out-on-own-stack', shrunk: 5, shortest: 5 });
  expect(result).not.toHaveProperty('lost');
});

test('a worker that dies of every run ends the campaign with a sentence', async () => {
  const { result } = await campaign('mainline', ['runs', 'runs', 'runs'], 4);
  expect(result).toMatchObject({ runs: 0, found: undefined });
  expect(result.lost).toMatch(
    /^expected a worker to end its task \(runs\), found that it died 3 times \(.*\); give it more memory/,
  );
});

test('what was found survives the workers that die of shrinking it', async () => {
  const { result, found } = await campaign('deferred-percpu', ['shrink', 'shrink', 'shrink'], 40);
  expect(found).toHaveLength(1);
  expect(result.found).toEqual(found[0]);
  expect(result.found?.failure).toMatchObject({ property: 'scheduled-out-on-own-stack', unfinished: true });
});
