/** Rounds in three numbers. The median is what one quotes; least and most show how quiet the machine was. */
export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Throws RangeError for no rounds at all. */
export function spread(rounds: readonly number[]): Spread {
  if (rounds.length === 0) throw new RangeError('expected at least one round, found none');
  const sorted = [...rounds].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { min: sorted[0], median, max: sorted[sorted.length - 1] };
}
