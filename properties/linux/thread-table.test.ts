/** Promise: threads are known from their first run to their death, also over a rollback; no number is given twice. */
import { MOST_THREADS, ThreadTable } from './thread-table';

const STACK_BYTES = 0x4000;
const TASKS = -(2 ** 46);
const STACKS = -(2 ** 45);
const task = (n: number) => TASKS + n * 0x2000;
const stack = (n: number) => STACKS + n * STACK_BYTES;

/** Task n has the stack of the same number, unless it has got another one. */
function table(others = new Map<number, number>()) {
  const layout = {
    stackBytes: STACK_BYTES,
    threadSp: 0x100,
    stackOf: (va: number) => stack(others.get(va) ?? (va - TASKS) / 0x2000),
  };
  return new ThreadTable({ near: (va) => va - TASKS }, layout);
}
const nobody = () => false;

test('a thread is found by its task, its saved stack pointer and its stack', () => {
  const threads = table();
  const t = threads.add(task(5), nobody);
  expect(threads.find(task(5))).toBe(t);
  expect(threads.threadspVa[t]).toBe(task(5) + 0x100);
  expect(threads.threadspPa[t]).toBe(5 * 0x2000 + 0x100);
  expect(threads.regionOf(stack(6))).toMatchObject({ thread: t, start: stack(5), end: stack(6) });
  expect(threads.regionOf(stack(5))).toBeUndefined();
});

test('a thread that has died leaves its number and its stack', () => {
  const threads = table();
  const [a, b] = [threads.add(task(1), nobody), threads.add(task(2), nobody)];
  threads.remove(a);
  expect(threads.find(task(1))).toBe(-1);
  expect(threads.regionOf(stack(2) - 8)).toBeUndefined();
  expect(threads.add(task(3), nobody)).toBe(a);
  expect(threads.regionOf(stack(4) - 8)).toMatchObject({ thread: a });
  expect(threads.regions.map((r) => r.thread)).toEqual([a, b]);
});

test('after a rollback the threads of then are known, whatever has happened in between', () => {
  const threads = table();
  const old = threads.add(task(1), nobody);
  const before = threads.state.slice();
  threads.remove(old);
  threads.add(task(2), nobody);
  threads.state.set(before);
  expect(threads.rolledBack()).toBe(true);
  expect([threads.find(task(1)), threads.find(task(2))]).toEqual([old, -1]);
  expect(threads.regionOf(stack(1) + 8)).toMatchObject({ thread: old });
  expect(threads.rolledBack()).toBe(false);
});

test('a task in the place of another one has its own stack, also over a rollback', () => {
  const others = new Map<number, number>();
  const threads = table(others);
  const t = threads.add(task(1), nobody);
  const before = threads.state.slice();
  threads.remove(t);
  others.set(task(1), 7);
  threads.add(task(1), nobody);
  expect(threads.stackOf(t)?.start).toBe(stack(7));
  threads.state.set(before);
  threads.rolledBack();
  expect(threads.stackOf(t)?.start).toBe(stack(1));
});

test('where there are too many, the one that has not run for longest and does not run is forgotten', () => {
  const threads = table();
  for (let n = 0; n < MOST_THREADS; n++) threads.add(task(n), nobody);
  threads.left(1);
  expect(threads.add(task(100), (t) => t === 0)).toBe(2);
  expect([threads.find(task(0)), threads.find(task(1)), threads.find(task(2))]).toEqual([0, 1, -1]);
});
