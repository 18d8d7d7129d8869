/**
 * Promise of `verify --threads 2`: it counts what one thread counts, both take part, and the answer says so.
 */
import { emptyFolder, Session } from './testing/pti-check';

const { folder, remove } = emptyFolder();
const session = new Session(folder);
afterAll(async () => {
  await session.close();
  remove();
});

test('two threads count what one counts, and both take part', async () => {
  // Long enough for the second one to start on a busy machine.
  const search = ['verify', '--design', 'mainline', '--nesting', '2', '--nmis', '2', '--irqs', '3'];
  const [one, two] = await session.all([search, [...search, '--threads', '2']]);
  const counts = /[\d,]+ states, [\d,]+ transitions, depth \d+/;
  expect(one.stdout).toMatch(/, 1 thread\n/);
  expect(two.stdout).toMatch(/ s, 2 threads\n/);
  expect(counts.exec(two.stdout)?.[0]).toBe(counts.exec(one.stdout)?.[0]);
  expect(one.stdout).toContain('5,848,440 states, 17,497,980 transitions, depth 72');
});
