/**
 * Promise: S26 sees a value of user mode in a register that entry text should have cleared, but not what the kernel has
 * put there itself: 48h in rcx, which is the MSR that it writes at the entry where it runs with IBRS.
 */
import { RCX } from '../../emulator/registers';
import { designImage } from '../designs/images';
import { CTX_FROM_USER, CTX_REGISTERS } from '../ghost/ghost';
import type { GuestView } from '../guest/guest-view';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { REGISTERS_ARE_CLEARED } from './registers-are-cleared';

/** What S26 says where C code begins with `rcx`, which user mode had in it, too. */
function verdict(rcx: number, ibrs: boolean): string | undefined {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const [cpu] = machine.cpus;
  cpu.r.fill(0);
  const speculation = { wantsIbrs: () => ibrs, ibrsIsOn: () => ibrs, clearsBuffers: false };
  const judged: GuestView = Object.assign(Object.create(view) as GuestView, { speculation });
  const monitor = new Monitor(judged, [REGISTERS_ARE_CLEARED]);
  const at = monitor.ghost.open(0);
  monitor.ghost.words[at + CTX_FROM_USER] = 1;
  monitor.ghost.words[at + CTX_REGISTERS + RCX] = rcx;
  cpu.r[RCX] = rcx;
  const { moments } = REGISTERS_ARE_CLEARED;
  return typeof moments === 'function' ? undefined : moments.entryTextLeft?.(monitor, cpu);
}

test.each([
  ['48h where IBRS is written', 0x48, true, undefined],
  ['48h where it is not', 0x48, false, /^expected rcx to be cleared/],
  ['another value', 0x49, true, /^expected rcx to be cleared/],
])('%s', (_name, rcx, ibrs, expected) => {
  if (expected === undefined) expect(verdict(rcx, ibrs)).toBeUndefined();
  else expect(verdict(rcx, ibrs)).toMatch(expected);
});
