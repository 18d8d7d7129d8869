/**
 * Pieces of generated text for a form of collapsed states (components.ts).
 */
import type { Slot, Slots } from './components';
import { isReduced, type KernelShape } from './kernel';
import { BLOCK_STATES, regionLength } from './state-set';

export const range = (count: number) => Array.from({ length: count }, (_, i) => i);
export const listed = (count: number, text: (i: number) => string, separator = ', ') =>
  range(count).map(text).join(separator);
export const at = (array: string, base: string, i: number) => `${array}[${i === 0 ? base : `${base} + ${i}`}]`;
export const parameters = (count: number, prefix = 'w') => listed(count, (i) => `${prefix}${i}`);
export const number = ({ word, shift, bits }: Slot, prefix = 'w') =>
  `(${prefix}${word} >>> ${shift} & ${(1 << bits) - 1})`;
export const lastOf = ({ cpus }: Slots) => cpus[cpus.length - 1];
/** The number of the lowest bit of a word that is not 0. */
export const lowest = (bits: string) => `31 - clz32(${bits} & -${bits})`;
/** All bits of a word but those of a state's number in its block. */
export const blockMask = ({ shift }: Slot) => ~((BLOCK_STATES - 1) << shift);
/** Without the thread that the CPU runs. */
export const localNumber = (cpu: Slot, localBits: number) => number({ ...cpu, bits: localBits });

/** The entry of a state's region, as an expression. */
export function regionText({ cpus, threads, localBits }: Slots): string {
  const occupant = ({ word, shift, bits }: Slot) =>
    `(w${word} >>> ${shift + localBits} & ${(1 << (bits - localBits)) - 1})`;
  const region = cpus
    .map(occupant)
    .reduce((outer, inner) => `(imul(${outer}, ${Math.max(1, threads.length)}) + ${inner})`);
  return `imul(${region}, ${regionLength(cpus.length, threads.length)})`;
}

/** What is added to the place of a successor that is awake. */
export function awakeText(shape: KernelShape): string {
  return isReduced(shape) ? '' : ' | 1';
}
