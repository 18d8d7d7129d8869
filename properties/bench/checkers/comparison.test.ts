import { emptyFolder } from '../../cli/testing/pti-check';
import { CountsDiffer, Race, sameCounts } from './comparison';
import type { Contestant, Prepared } from './contestants';
import { comparisonInWords } from './report';
import { runProcess } from './run-process';
import { SIZES, slotsLog } from './sizes';

const [SIZE] = SIZES;

/** A checker that prints its count of states, and says of each that it takes five bytes. */
function prints(id: string, states: number): Contestant {
  const prepared: Prepared = {
    command: { file: process.execPath, args: ['-e', `console.log(${states})`], folder: __dirname },
    recipe: `echo ${states}`,
    read: (output) => ({ verdict: 'holds', states: Number(output), transitions: 7, bytes: 5 * Number(output) }),
  };
  return { id, name: id, tools: [], prepare: async () => prepared };
}

const broken: Contestant = { ...prints('broken', 3), prepare: () => Promise.reject(new Error('no such compiler')) };

const race = (contestants: readonly Contestant[], folder: string) =>
  new Race(SIZE, () => undefined).run(contestants, 1, folder);

const { folder, remove } = emptyFolder();
afterAll(remove);

test('checkers that count alike are compared, and one that fails is left out by name', async () => {
  const comparison = await race([prints('ours-1', 12), broken, prints('ours-2', 12)], folder);
  expect(comparison).toMatchObject({ states: 12, transitions: 7 });
  expect(comparison.results.map(({ id }) => id)).toEqual(['ours-1', 'ours-2']);
  expect(comparison.leftOut).toEqual([{ size: SIZE.name, name: 'broken', reason: 'no such compiler' }]);
  expect(comparisonInWords(comparison, 16).join('\n')).toMatch(/^ours-1 .* 1\.00 .* 5\.0$/m);
});

test('checkers that count differently have no times', async () => {
  await expect(race([prints('one', 12), prints('other', 13)], folder)).rejects.toThrow(CountsDiffer);
  const holds = { verdict: 'holds', states: 12, transitions: 7 };
  expect(() => sameCounts('other', holds, { ...holds, transitions: 8 })).toThrow('8 transitions');
  expect(() => sameCounts('other', undefined, { verdict: 'deadlock', steps: 3 })).toThrow('deadlock');
});

test('a process is measured with the memory that it touched, and its failure is told', async () => {
  const MIB = 64;
  const node = (text: string) => runProcess({ file: process.execPath, args: ['-e', text], folder });
  const { output, seconds, peakBytes } = await node(`console.log(Buffer.alloc(${MIB} << 20, 1).length)`);
  expect(Number(output)).toBe(MIB * 2 ** 20);
  expect(seconds).toBeGreaterThan(0);
  if (process.platform === 'linux') expect(peakBytes).toBeGreaterThan(MIB * 2 ** 20);
  await expect(node('console.error("no room"); process.exit(3)')).rejects.toThrow('exit code 3: no room');
});

test('a table has room for the states of its size', () => {
  for (const size of SIZES) expect(2 ** slotsLog(size)).toBeGreaterThan(size.states);
});
