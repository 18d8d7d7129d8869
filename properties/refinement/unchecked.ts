/**
 * What is not asked of an image that leaves out optional symbols of the manifest: each property says what it needs, and
 * so does refinement.
 */
import type { Manifest } from '../guest/manifest';
import { allProperties } from '../safety/index';
import type { Need } from '../safety/property';

/** Without any one of these the abstraction cannot be computed. */
const REFINEMENT_NEEDS: readonly Need[] = [
  { symbol: 'manifest.percpu.top_of_stack' },
  { symbol: 'manifest.nmi_handler' },
  { symbol: 'manifest.body_stacks' },
  { symbol: 'manifest.stack.irq' },
  { symbol: 'manifest.stack.pti' },
];

export interface Unchecked {
  /** Slug, or `refinement`; in brackets the part that is not asked, where that is not all. */
  readonly property: string;
  readonly symbol: string;
}

/** The image says enough for its abstraction: refinement is possible. */
export function isAbstractable({ missing }: Manifest): boolean {
  return !REFINEMENT_NEEDS.some(({ symbol }) => missing.includes(symbol));
}

/** What is not asked, and for want of which symbol. */
export function unchecked({ missing }: Manifest): Unchecked[] {
  const asked = [...allProperties(), { slug: 'refinement', needs: REFINEMENT_NEEDS }];
  return asked.flatMap(({ slug, needs = [] }) =>
    needs
      .filter(({ symbol }) => missing.includes(symbol))
      .map(({ symbol, part }) => ({ property: part === undefined ? slug : `${slug} (${part})`, symbol })),
  );
}
