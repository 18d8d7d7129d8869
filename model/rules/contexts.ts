/** Procedures that open and close contexts. They write, so a rule calls them only after its last `return false`. */
import { NONE, USER } from '../kinds';
import type { Cpu, State, Thread } from '../schema';

/**
 * Opens a context of an event from user mode: user half (if there is one), user GS, IF=1 and user stack are implied.
 */
export function openFromUser(s: State, c: Cpu, t: Thread, kind: number, frame: number): void {
  s.kind[t][s.depth[t]] = kind;
  s.fromUser[t][s.depth[t]] = 1;
  s.frame[t][s.depth[t]] = frame;
  s.depth[t] = s.depth[t] + 1;
  s.user[c] = 0;
  s.interrupts[c] = 0;
}

/** Opens a context of an event at CPL0 and records what it interrupted. */
export function openFromKernel(s: State, c: Cpu, t: Thread, kind: number, frame: number): void {
  s.kind[t][s.depth[t]] = kind;
  s.fromUserHalf[t][s.depth[t]] = s.userHalf[c];
  s.fromUserGs[t][s.depth[t]] = s.userGs[c];
  s.fromInterrupts[t][s.depth[t]] = s.interrupts[c];
  s.fromStack[t][s.depth[t]] = s.stack[c];
  s.frame[t][s.depth[t]] = frame;
  s.depth[t] = s.depth[t] + 1;
  s.interrupts[c] = 0;
}

/** Closes the innermost context and clears its slot, so that equal states have equal words. */
export function close(s: State, t: Thread): void {
  s.depth[t] = s.depth[t] - 1;
  s.kind[t][s.depth[t]] = NONE;
  s.body[t][s.depth[t]] = 0;
  s.fromUser[t][s.depth[t]] = 0;
  s.fromUserHalf[t][s.depth[t]] = 0;
  s.fromUserGs[t][s.depth[t]] = 0;
  s.fromInterrupts[t][s.depth[t]] = 0;
  s.fromStack[t][s.depth[t]] = USER;
  s.frame[t][s.depth[t]] = USER;
}
