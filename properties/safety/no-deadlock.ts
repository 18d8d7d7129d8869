/**
 * L5 no-deadlock: CPUs that repeat their states in the kernel with IF=0, each until another one goes on, have one that
 * does, or to which an event is pending. No moment of one CPU shows it: whoever runs the CPUs judges it
 * (../trace/entry-system.ts).
 */
import type { BuiltInProperty } from './property';

export const NO_DEADLOCK: BuiltInProperty = {
  number: 105,
  slug: 'no-deadlock',
  promise: 'From every state something can happen.',
  violated:
    'Nothing can happen any more: a state of the abstract machine without successor, or CPUs that wait for each other with interrupts off.',
  definition:
    'CPUs that repeat their states in the kernel with IF=0, each until another one goes on, have one that does, or to which an event is pending',
  model: '(`no-deadlock`: every state has a successor)',
  mutant: 'mainline+flush-wait-with-if-off',
  alsoJudged: 'by the runner, when a CPU repeats its state',
  moments: {},
};
