/**
 * L3 nesting-is-bounded: at most six contexts are open at a time: system call, #PF, IRQ, NMI, #PF and a nested NMI is
 * the longest legal chain.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

export const MAX_NESTING = 6;

function nestingIsBounded(scene: Scene, cpu: Cpu): Answer {
  const depth = scene.ghost.depth(scene.ghost.running(cpu.index));
  if (depth > MAX_NESTING) return `expected at most ${MAX_NESTING} open contexts, found ${depth}`;
  return undefined;
}

export const NESTING_IS_BOUNDED: BuiltInProperty = {
  number: 103,
  slug: 'nesting-is-bounded',
  promise: 'At most six contexts are open at a time.',
  violated: 'Faults keep nesting: the handler faults in the way that it should handle.',
  definition: 'at most six open contexts of a thread (system call, #PF, IRQ, NMI, #PF, nested NMI)',
  model: '- (nesting is a bound of the search)',
  mutant: 'mainline+recursive-fault',
  moments: { delivered: nestingIsBounded },
};
