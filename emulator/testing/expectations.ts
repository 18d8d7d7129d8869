/**
 * What tests expect of a fault that was delivered on a small machine, whose handlers tell vectors apart, and of results
 * that they compare thousands of times.
 */
import { VEC_PF } from '../registers';
import { FAULTED } from '../step-result';
import { handlerOf, peek, type SmallMachine } from './small-machine';

/** One step that has to fault with that vector, and push that error code. */
export function expectFault(small: SmallMachine, vector: number, error?: number): void {
  expect(small.machine.step(0)).toBe(FAULTED);
  expect(small.cpu.rip()).toBe(handlerOf(vector));
  if (error !== undefined) expect(peek(small.machine, small.cpu.rsp())).toBe(BigInt(error));
}

/** `result` is that of a step which had to be a page fault with that error code. */
export function expectPageFault(small: SmallMachine, result: number, error: number): void {
  expect(result).toBe(FAULTED);
  expect(small.cpu.rip()).toBe(handlerOf(VEC_PF));
  expect(peek(small.machine, small.cpu.rsp())).toBe(BigInt(error));
}

/**
 * `expect(actual).toBe(expected)` for tests that ask it thousands of times. Jest, which makes an error and hundreds of
 * functions for each `expect`, is asked where the two differ.
 */
export function expectSame<T>(actual: T, expected: T): void {
  if (!Object.is(actual, expected)) expect(actual).toBe(expected);
}
