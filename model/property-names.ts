/**
 * The properties that the abstract machine can express, by number (rules and invariants use the number) and by slug
 * (everything that a person or a script reads). The numbers are those of docs/properties.md; the concrete machine has
 * its own list and may check more.
 */
export const S1 = 1;
export const S2 = 2;
export const S3 = 3;
export const S4 = 4;
export const S5 = 5;
export const S6 = 6;
export const S8 = 8;
export const S9 = 9;
export const S10 = 10;
export const S12 = 12;
export const S16 = 16;
export const S19 = 19;
/** Not a property of the design but of the search: a state that has no successor. */
export const NO_DEADLOCK = 99;
/** Nor is this: that the model has room for the deepest nesting. */
export const NESTING_ROOM = 98;

const SLUGS: Readonly<Record<number, string>> = {
  [S1]: 'accesses-are-mapped',
  [S2]: 'user-mode-uses-user-cr3',
  [S3]: 'user-mode-uses-user-gs',
  [S4]: 'kernel-gs-accesses-use-kernel-gs',
  [S5]: 'kernel-code-uses-kernel-cr3',
  [S6]: 'resume-is-exact',
  [S8]: 'stack-is-legal',
  [S9]: 'scheduled-out-on-own-stack',
  [S10]: 'entry-stack-is-coherent',
  [S12]: 'user-table-is-minimal',
  [S16]: 'nmi-is-kept',
  [S19]: 'interrupts-off-in-window',
  [NESTING_ROOM]: 'nesting-has-room',
  [NO_DEADLOCK]: 'no-deadlock',
};

/** Slug of a property number. Throws RangeError for a number that no rule may use. */
export function modelPropertySlug(property: number): string {
  const slug = SLUGS[property];
  if (slug === undefined) throw new RangeError(`no property ${property} in the model`);
  return slug;
}

/** Whether the abstract machine can express the property of that number. */
export function isModelProperty(property: number): boolean {
  return SLUGS[property] !== undefined;
}
