/** Promise: whether a kernel clears buffers is what its patched entry code does, not what lies there. */
import { reachesVerw } from './speculation';

const VERW = '0f002d11223344'; // verw 0x44332211(%rip)
const SYSRETQ = '480f07';

test.each([
  ['left out', SYSRETQ, false],
  ['reached', VERW + SYSRETQ, true],
  ['reached behind a NOP of two bytes', `6690${VERW}${SYSRETQ}`, true],
  ['jumped over', `eb07${VERW}${SYSRETQ}`, false],
  ['jumped over on one way out, reached on another', `eb07${VERW}${SYSRETQ}6690${VERW}cf`, true],
])('VERW that is %s', (_, hex, reached) => {
  expect(reachesVerw(Buffer.from(hex, 'hex'))).toBe(reached);
});
