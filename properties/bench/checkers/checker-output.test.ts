import { readRumur, readSpin, readSpinVector } from './checker-output';

const SPIN_DONE = `
State-vector 60 byte, depth reached 3758, errors: 0
   855612 states, stored
  1536137 states, matched
  2391749 transitions (= stored+matched)
        0 atomic steps
pan: elapsed time 1.34 seconds
`;

const RUMUR_DONE = '<summary states="855612" rules_fired="2391748" errors="0" duration_seconds="22"/>';

test('SPIN counts the initial state among its transitions, and the steps that set it up among its states', () => {
  expect(readSpin(SPIN_DONE, 0)).toEqual({ verdict: 'holds', states: 855_612, transitions: 2_391_748 });
  expect(readSpin(SPIN_DONE, 1)).toEqual({ verdict: 'holds', states: 855_611, transitions: 2_391_747 });
  expect(readSpinVector(SPIN_DONE)).toBe(60);
});

test('transitions that SPIN has rounded are no count', () => {
  const rounded = SPIN_DONE.replace('2391749 transitions', '1.6876056e+08 transitions');
  expect(readSpin(rounded, 0)).toEqual({ verdict: 'holds', states: 855_612 });
});

test('rumur and SPIN count alike', () => {
  expect(readRumur(RUMUR_DONE)).toEqual(readSpin(SPIN_DONE, 0));
});

test('a search that was cut short has no counts', () => {
  expect(() => readSpin(`error: max search depth too small\n${SPIN_DONE}`, 0)).toThrow('did not finish');
  expect(() => readSpin(`pan: out of memory\n${SPIN_DONE}`, 0)).toThrow('did not finish');
  expect(() => readRumur('')).toThrow('expected');
});

test('a violation is named by its property; an invariant of SPIN fails in the state, a requirement in the step after it', () => {
  const failed = (assertion: string) => `pan:1: assertion violated ${assertion} (at depth 5)\n`;
  expect(readSpin(failed('((stack_0!=7)|| !(8))'), 0)).toEqual({ verdict: 'violated stack-is-legal', steps: 6 });
  expect(readSpin(failed('(0|| !(8))'), 0)).toEqual({ verdict: 'violated stack-is-legal', steps: 5 });
});
