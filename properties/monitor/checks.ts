/**
 * The checks of each moment, in the order of the numbers of their properties: made once from the list of properties, so
 * that a moment at which nobody asks costs the test of a length.
 */
import type { GuestView } from '../guest/guest-view';
import type { NumberedProperty } from '../safety/index';
import { MOMENTS, type Moment, type Moments } from '../safety/moments';

export interface Check<M extends Moment> {
  /** Number of the property. */
  readonly property: number;
  readonly ask: NonNullable<Moments[M]>;
}

export type Checks = { readonly [M in Moment]: readonly Check<M>[] };

/** Sorts what the properties ask by moment. */
export function checksOf(properties: readonly NumberedProperty[], view: GuestView): Checks {
  const asked = properties
    .toSorted((a, b) => a.number - b.number)
    .map(({ number, moments }) => ({ number, moments: typeof moments === 'function' ? moments(view) : moments }));
  const at = <M extends Moment>(moment: M): Check<M>[] =>
    asked.flatMap(({ number, moments }) => {
      const ask = moments[moment];
      return ask === undefined ? [] : [{ property: number, ask }];
    });
  const moments = Object.keys(MOMENTS) as Moment[];
  return Object.fromEntries(moments.map((moment) => [moment, at(moment)])) as unknown as Checks;
}
