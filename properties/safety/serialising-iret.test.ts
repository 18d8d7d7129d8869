/**
 * Promise: an IRET that a kernel executes to serialise, by a return to the instruction behind it, ends no context where
 * the view knows of such; where it does not, S6 takes it for the return of the event.
 */
import { CPL, CS, RSP, SS } from '../../emulator/registers';
import { designImage } from '../designs/images';
import type { GuestView } from '../guest/guest-view';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { RESUME_IS_EXACT } from './resume-is-exact';

const ENOUGH = 5000;
const IRETQ = [0x48, 0xcf];
const FRAME_BYTES = 40;

/** Contexts that are open after an IRETQ to the next instruction in an NMI of the kernel, and what S6 says. */
function afterIret(known: boolean): { depths: number[]; message: string | undefined } {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const [cpu] = machine.cpus;
  const judged: GuestView = Object.assign(Object.create(view) as GuestView, { serialisesAt: () => known });
  const monitor = new Monitor(judged, [RESUME_IS_EXACT]);
  monitor.attach();
  const until = (reached: () => boolean) => {
    for (let i = 0; i < ENOUGH && !reached(); i++) machine.step(0);
    expect(reached()).toBe(true);
  };
  until(() => cpu.r[CPL] === 0 && view.isText(cpu.rip()));
  machine.raiseNmi(0);
  until(() => cpu.rip() === image.symbol('default_do_nmi'));
  const at = cpu.rip();
  const rsp = cpu.rsp();
  const frame = [at + IRETQ.length, cpu.r[CS], cpu.rflags(), rsp, cpu.r[SS]];
  const words = BigInt64Array.from(frame.map(BigInt));
  machine.memory.writeBytes(view.physical(rsp - FRAME_BYTES), new Uint8Array(words.buffer));
  machine.memory.writeBytes(view.physical(at), Uint8Array.from(IRETQ));
  cpu.set64(RSP, BigInt(rsp - FRAME_BYTES));
  const before = monitor.ghost.depth(0);
  machine.step(0);
  expect([cpu.rip(), cpu.rsp()]).toEqual([at + IRETQ.length, rsp]);
  return { depths: [before, monitor.ghost.depth(0)], message: monitor.violation?.message };
}

test('a context goes on behind an IRET that serialises', () => {
  expect(afterIret(true)).toEqual({ depths: [2, 2], message: undefined });
});

test('any other IRET to the kernel ends its context', () => {
  const { depths, message } = afterIret(false);
  expect(depths).toEqual([2, 1]);
  expect(message).toMatch(/^expected \w+ .* before the (event|NMI)/);
});
