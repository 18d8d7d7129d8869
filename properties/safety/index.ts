/** The properties of the concrete machine, in one list: the lowest number is reported. */
import { ACCESSES_ARE_MAPPED } from './accesses-are-mapped';
import { ENTRY_STACK_IS_COHERENT } from './entry-stack-is-coherent';
import { ENTRY_TERMINATES } from './entry-terminates';
import { EVENT_IS_HANDLED } from './event-is-handled';
import { FAST_RETURN_IS_CANONICAL } from './fast-return-is-canonical';
import { FLAGS_ARE_CLEAR_AT_BODY } from './flags-are-clear-at-body';
import { guardedProperty } from './guarded-property';
import { INTERRUPTS_OFF_IN_WINDOW } from './interrupts-off-in-window';
import { KERNEL_CODE_USES_KERNEL_CR3 } from './kernel-code-uses-kernel-cr3';
import { KERNEL_GS_ACCESSES_USE_KERNEL_GS } from './kernel-gs-accesses-use-kernel-gs';
import { LIVE_FRAMES_ARE_UNTOUCHED } from './live-frames-are-untouched';
import { NESTING_IS_BOUNDED } from './nesting-is-bounded';
import { NMI_IS_DELIVERED } from './nmi-is-delivered';
import { NMI_IS_KEPT } from './nmi-is-kept';
import { NO_DEADLOCK } from './no-deadlock';
import { NO_DOUBLE_FAULT } from './no-double-fault';
import { NOFLUSH_IS_SAFE } from './noflush-is-safe';
import type { BuiltInProperty, Property } from './property';
import { REGISTERS_ARE_CLEARED } from './registers-are-cleared';
import { RESUME_IS_EXACT } from './resume-is-exact';
import { SCHEDULED_OUT_ON_OWN_STACK } from './scheduled-out-on-own-stack';
import { SPECULATION_IS_RESTRICTED } from './speculation-is-restricted';
import { STACK_IS_LEGAL } from './stack-is-legal';
import { USER_FLAGS_ARE_SAFE } from './user-flags-are-safe';
import { USER_MODE_USES_USER_CR3 } from './user-mode-uses-user-cr3';
import { USER_MODE_USES_USER_GS } from './user-mode-uses-user-gs';
import { USER_TABLE_IS_MINIMAL } from './user-table-is-minimal';

export const PROPERTIES: readonly BuiltInProperty[] = [
  ACCESSES_ARE_MAPPED,
  USER_MODE_USES_USER_CR3,
  USER_MODE_USES_USER_GS,
  KERNEL_GS_ACCESSES_USE_KERNEL_GS,
  KERNEL_CODE_USES_KERNEL_CR3,
  RESUME_IS_EXACT,
  LIVE_FRAMES_ARE_UNTOUCHED,
  STACK_IS_LEGAL,
  SCHEDULED_OUT_ON_OWN_STACK,
  ENTRY_STACK_IS_COHERENT,
  USER_TABLE_IS_MINIMAL,
  NOFLUSH_IS_SAFE,
  NMI_IS_KEPT,
  FAST_RETURN_IS_CANONICAL,
  NO_DOUBLE_FAULT,
  INTERRUPTS_OFF_IN_WINDOW,
  FLAGS_ARE_CLEAR_AT_BODY,
  USER_FLAGS_ARE_SAFE,
  REGISTERS_ARE_CLEARED,
  SPECULATION_IS_RESTRICTED,
  EVENT_IS_HANDLED,
  ENTRY_TERMINATES,
  NMI_IS_DELIVERED,
  NESTING_IS_BOUNDED,
  NO_DEADLOCK,
];

/** Properties of somebody else's come after all of ours, in the order in which they were added. */
const FIRST_OWN = 201;
const OWN: Property[] = [];

export interface NumberedProperty extends Property {
  readonly number: number;
}

/**
 * From now on every machine that is booted is judged by this property, too. Adding one again changes nothing.
 * @throws {RangeError} for a slug that another property has.
 */
export function addProperty(property: Property): void {
  if (OWN.includes(property)) return;
  if (propertyNumber(property.slug) !== undefined)
    throw new RangeError(`expected a slug that no other property has, found ${property.slug} again`);
  OWN.push(property);
}

/** From now on no property is asked but ours. */
export function removeAddedProperties(): void {
  OWN.length = 0;
}

/** A property's number is that of one of ours. */
export function isOurs(number: number): boolean {
  return number < FIRST_OWN;
}

/** Ours, then those that were added. */
export function allProperties(): readonly NumberedProperty[] {
  return [...PROPERTIES, ...OWN.map((property, i) => ({ ...guardedProperty(property), number: FIRST_OWN + i }))];
}

/** Slug of a property number. Throws RangeError for a number that is not one. */
export function propertySlug(number: number): string {
  const property = allProperties().find((one) => one.number === number);
  if (property === undefined) throw new RangeError(`no property ${number}`);
  return property.slug;
}

/** Number of a slug, or undefined. */
export function propertyNumber(slug: string): number | undefined {
  return allProperties().find((property) => property.slug === slug)?.number;
}

/** The short name that documents use: S9, L1; U1 for the first one that was added. */
export function shortName(number: number): string {
  if (number >= FIRST_OWN) return `U${number - FIRST_OWN + 1}`;
  return number > 100 ? `L${number - 100}` : `S${number}`;
}
