import { every, exists } from './quantifiers';

test.each([
  ['none', [], false, true],
  ['all', [0, 1, 2], true, true],
  ['some', [1], true, false],
  ['no', [7], false, false],
])('exists and every when %s of 0..n-1 satisfy the condition', (_, satisfying, some, all) => {
  const n = satisfying.length === 0 ? 0 : 3;
  const condition = (k: number) => satisfying.includes(k);
  expect([exists(n, condition), every(n, condition)]).toEqual([some, all]);
});

test('the condition is asked in ascending order, and not beyond the answer', () => {
  const asked: number[] = [];
  exists(5, (k) => asked.push(k) === 3);
  every(5, (k) => asked.push(k + 10) < 5);
  expect(asked).toEqual([0, 1, 2, 10, 11]);
});
