/**
 * Promise: an IRETQ by which code goes on with itself, to serialise (sync_core of Linux), ends no context. The test
 * executes one in the handler of an interrupt that has hit the kernel.
 */
import { CPL, CS, RIP, RSP, SS } from '../../emulator/registers';
import { vaHi, vaLo } from '../../emulator/words';
import { designImage } from '../designs/images';
import type { GuestView } from '../guest/guest-view';
import { RESUME_IS_EXACT } from '../safety/resume-is-exact';
import { bootGuest } from './guest';
import { Monitor } from './monitor';

const ENOUGH = 5000;
const IRETQ = Uint8Array.of(0x48, 0xcf);
const FRAME_BYTES = 40;

function afterIret(isPlain: boolean) {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const [cpu] = machine.cpus;
  const { memory } = machine;
  let iret = 0;
  const judged = Object.assign(Object.create(view) as GuestView, {
    isPlainIret: (va: number) => isPlain && va === iret,
  });
  const monitor = new Monitor(judged, [RESUME_IS_EXACT]);
  monitor.attach();
  const { ghost } = monitor;
  for (let i = 0; i < ENOUGH && cpu.r[CPL] === 3; i++) machine.step(0);
  machine.raiseNmi(0);
  for (let i = 0; i < ENOUGH && cpu.rip() !== view.manifest.nmiHandler; i++) machine.step(0);
  iret = cpu.rip();
  const sp = cpu.rsp();
  const frame = [iret, cpu.r[CS], cpu.rflags(), sp, cpu.r[SS]];
  for (const [i, word] of frame.entries()) {
    const pa = view.physical(sp - FRAME_BYTES + 8 * i);
    memory.write32At(pa, vaLo(word));
    memory.write32At(pa + 4, vaHi(word));
  }
  const code = view.physical(iret);
  const before = memory.readBytes(code, IRETQ.length).slice();
  memory.writeBytes(code, IRETQ);
  cpu.set64(RSP, BigInt(sp - FRAME_BYTES));
  const context = ghost.innermost(ghost.running(0));
  machine.step(0);
  memory.writeBytes(code, before);
  expect([cpu.r[RIP], cpu.rsp()]).toEqual([vaLo(iret), sp]);
  const { violation } = monitor;
  return { ended: ghost.innermost(ghost.running(0)) !== context, violation: violation?.message };
}

test('code goes on in its context', () => {
  expect(afterIret(true)).toEqual({ ended: false, violation: undefined });
});

test('anywhere else it is a return, to another place than that of the event', () => {
  expect(afterIret(false)).toEqual({ ended: true, violation: expect.stringMatching(/^expected /) });
});
