/**
 * The properties of the concrete machine, by number and slug (docs/properties.md defines them), and what is said when
 * one is violated.
 */
export const S1 = 1;
export const S2 = 2;
export const S3 = 3;
export const S4 = 4;
export const S5 = 5;
export const S6 = 6;
export const S7 = 7;
export const S8 = 8;
export const S9 = 9;
export const S10 = 10;
export const S12 = 12;
export const S16 = 16;
export const S17 = 17;
export const S18 = 18;
export const S19 = 19;
export const S24 = 24;
export const S25 = 25;
export const L1 = 101;
export const L2 = 102;
export const L3 = 103;
export const L5 = 105;

const SLUGS: ReadonlyMap<number, string> = new Map([
  [S1, 'accesses-are-mapped'],
  [S2, 'user-mode-uses-user-cr3'],
  [S3, 'user-mode-uses-user-gs'],
  [S4, 'kernel-gs-accesses-use-kernel-gs'],
  [S5, 'kernel-code-uses-kernel-cr3'],
  [S6, 'resume-is-exact'],
  [S7, 'live-frames-are-untouched'],
  [S8, 'stack-is-legal'],
  [S9, 'scheduled-out-on-own-stack'],
  [S10, 'entry-stack-is-coherent'],
  [S12, 'user-table-is-minimal'],
  [S16, 'nmi-is-kept'],
  [S17, 'fast-return-is-canonical'],
  [S18, 'no-double-fault'],
  [S19, 'interrupts-off-in-window'],
  [S24, 'flags-are-clear-at-body'],
  [S25, 'user-flags-are-safe'],
  [L1, 'entry-terminates'],
  [L2, 'nmi-is-delivered'],
  [L3, 'nesting-is-bounded'],
  [L5, 'no-deadlock'],
]);

export const CHECKED_PROPERTIES: readonly number[] = [...SLUGS.keys()];

/** Slug of a property number. Throws RangeError for a number that is not one. */
export function propertySlug(property: number): string {
  const slug = SLUGS.get(property);
  if (slug === undefined) throw new RangeError(`no property ${property}`);
  return slug;
}

/** Number of a slug, or undefined. */
export function propertyNumber(slug: string): number | undefined {
  return [...SLUGS].find(([, s]) => s === slug)?.[0];
}

/** The first violating micro-step of a run. */
export interface Violation {
  readonly property: number;
  readonly cpu: number;
  /** Address of the instruction that was executing, or that was interrupted. */
  readonly rip: number;
  /** One sentence: what was expected, what was found. */
  readonly message: string;
}
