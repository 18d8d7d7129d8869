import { spread } from './statistics';

test('the median does not depend on the order, and an even number of rounds has the middle of two', () => {
  expect(spread([3, 1, 2])).toEqual({ min: 1, median: 2, max: 3 });
  expect(spread([4, 1, 2, 3])).toEqual({ min: 1, median: 2.5, max: 4 });
});

test('no rounds have no median', () => {
  expect(() => spread([])).toThrow(RangeError);
});
