/**
 * The parts of a counterexample file that need no schema: its types, its names, the hash of an image. What checks a
 * file is in schema.ts, which few processes load.
 */
import { createHash } from 'node:crypto';

export type {
  Action,
  Bounds,
  Counterexample,
  Expected,
  IrqAction,
  NmiAction,
  Origin,
  RunAction,
  StepAction,
} from './schema';

import type { Action } from './schema';

export const FORMAT = 'pti-check counterexample';
export const VERSION = 1;

export function imageHash(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The length of a trace: its model transitions. A `run` moves instructions, not the abstract machine. */
export function traceLength(actions: readonly Action[]): number {
  return actions.filter((a) => a.action !== 'run').length;
}

/** The design as every command names it: `design` or `design+mutant`. */
export function designName(c: { design: string; mutant?: string | undefined }): string {
  return c.mutant === undefined ? c.design : `${c.design}+${c.mutant}`;
}
