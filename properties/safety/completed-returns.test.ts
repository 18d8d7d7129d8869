/**
 * Promise: where a kernel completes a return that an event interrupted, S6 wants exactly that return; where it does
 * not, S6 wants what was interrupted. The test changes the frame as such a kernel does.
 */
import { CPL, RSP } from '../../emulator/registers';
import { vaHi, vaLo } from '../../emulator/words';
import { designImage } from '../designs/images';
import type { GuestView } from '../guest/guest-view';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { RESUME_IS_EXACT } from './resume-is-exact';

const ENOUGH = 5000;
const RET = 0xc3;
/** Offsets in the frame that an event pushes. */
const FRAME_RIP = 0,
  FRAME_RSP = 24;

/** What S6 says of an NMI at a RET of the kernel whose frame is changed to one that returned to `to` bytes behind. */
function completed(known: boolean, to: number): string | undefined {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const [cpu] = machine.cpus;
  const byteAt = (va: number) => machine.memory.readBytes(view.physical(va), 1)[0];
  const returns = new Map<number, number>();
  const monitor = new Monitor(Object.assign(Object.create(view) as GuestView, { completedReturns: returns }), [
    RESUME_IS_EXACT,
  ]);
  monitor.attach();
  const until = (reached: () => boolean) => {
    for (let i = 0; i < ENOUGH && monitor.violation === undefined; i++) {
      if (reached()) return;
      machine.step(0);
    }
  };
  until(() => cpu.r[CPL] === 0 && byteAt(cpu.rip()) === RET);
  const interrupted = { rip: cpu.rip(), rsp: cpu.rsp() };
  const target = view.pointerAt(view.physical(interrupted.rsp)) + to;
  if (known) returns.set(interrupted.rip, 0);
  machine.raiseNmi(0);
  until(() => cpu.rip() !== interrupted.rip);
  const frame = cpu.rsp();
  const put = (va: number, value: number) => {
    machine.memory.write32At(view.physical(va), vaLo(value));
    machine.memory.write32At(view.physical(va) + 4, vaHi(value));
  };
  put(frame + FRAME_RIP, target);
  put(frame + FRAME_RSP, interrupted.rsp + 8);
  until(() => cpu.rip() === target && cpu.r[RSP] === ((interrupted.rsp + 8) | 0));
  expect([cpu.rip(), monitor.violation === undefined]).toEqual([target, to === 0 && known]);
  return monitor.violation?.message;
}

test('a return that the kernel may complete holds', () => {
  expect(completed(true, 0)).toBeUndefined();
});

test('one that goes elsewhere is a violation', () => {
  expect(completed(true, 1)).toMatch(/^expected rsp \w+ as before the event/);
});

test('one that no kernel completes is a violation', () => {
  expect(completed(false, 0)).toMatch(/^expected rsp \w+ as before the event/);
});
