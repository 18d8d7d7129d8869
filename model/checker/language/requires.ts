/**
 * How a rule says what must hold at the moment of its step: a property of a moment, where an invariant is one of a
 * state. A statement of the rule language; the translator knows it by this file, and not by its name.
 */
import type { Transient } from './schema-types';

/**
 * The rule requires `holds`; otherwise this application violates the property of this number. The first failure counts,
 * so ask in ascending order. It writes, so a rule asks after its last `return false`.
 */
export function requires(s: Transient, property: number, holds: boolean): void {
  if (!holds && s.failed === 0) s.failed = property;
}
