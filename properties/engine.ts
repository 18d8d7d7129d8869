/**
 * Settings of V8 for a process that is ours: the program and the benchmarks, not the library, whose process is somebody
 * else's.
 */
import { setFlagsFromString } from 'node:v8';

/**
 * How much other code V8 may write into a function that it optimises, in bytes of bytecode, together and for each
 * callee. The loop of the emulator calls many small functions; with V8's 920 and 460 most of them stay calls.
 */
const FLAGS = ['--max-inlined-bytecode-size-cumulative=4000', '--max-inlined-bytecode-size=1000'];

/** MiB of objects that a new thread makes before it first looks for garbage. V8 begins with one. */
const YOUNG = '--min-semi-space-size=16';

/** Lets V8 inline more, in all threads of this process. Before anything has become hot. */
export function inlineMore(): void {
  for (const flag of [...FLAGS, YOUNG]) setFlagsFromString(flag);
}

/**
 * Bytes of bytecode that a function has executed when V8 asks whether to optimise it. A check of a kernel is over in
 * seconds, and goes through much code a few times: with V8's 67,584 optimising takes as long as the check.
 */
const RUN_BEFORE_OPTIMISING = '--interrupt-budget=540672';

/** Lets V8 optimise later, in all threads of this process: for what is over soon. */
export function optimiseLater(): void {
  setFlagsFromString(RUN_BEFORE_OPTIMISING);
}
