/**
 * Exit codes: a contract that scripts rely on (docs/command-line.md has the table).
 */
export const HOLDS = 0;
export const VIOLATED = 1;
export const BAD_INPUT = 2;
export const NO_VERDICT = 3;
export const DIVERGED = 4;
const VACUOUS = 5;
/** A bug of pti-check itself (EX_SOFTWARE of sysexits.h); the only case in which a stack trace is printed. */
export const INTERNAL = 70;

export type Verdict = 'holds' | 'violated' | 'deadlock' | 'diverged' | 'vacuous' | 'unknown';

export function exitCode(verdict: Verdict | 'proved'): number {
  switch (verdict) {
    case 'holds':
    case 'proved':
      return HOLDS;
    case 'violated':
    case 'deadlock':
      return VIOLATED;
    case 'diverged':
      return DIVERGED;
    case 'vacuous':
      return VACUOUS;
    case 'unknown':
      return NO_VERDICT;
  }
}

const GRAVEST_FIRST = [VIOLATED, DIVERGED, VACUOUS, NO_VERDICT];

/** The code for several results: what was found counts more than what was not looked at. */
export function gravest(codes: readonly number[]): number {
  return GRAVEST_FIRST.find((code) => codes.includes(code)) ?? HOLDS;
}
