/**
 * Promise: where the kernel may change the registers of a task, S6 compares what the entry saves with what was
 * interrupted, and what the exit restores with what is saved then. The guest `mainline` has `pt_regs` where Linux has
 * it; here its view says so.
 */
import { PT_REGS, PT_REGS_SIZE } from '../../emulator/linux/image/kernel-offsets';
import { CPL, RBX } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { KERNEL } from '../../model/kinds';
import { designImage } from '../designs/images';
import { CTX_BODY } from '../ghost/ghost';
import type { GuestView } from '../guest/guest-view';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { RESUME_IS_EXACT } from './resume-is-exact';

/** Far more than a system call takes. */
const ENOUGH = 2000;
const SYSTEM_CALL = 0;
const PUSH_R11_PUSH_CS = [0x41, 0x53, 0x6a];
const PUSH_RCX_PUSH_CS = [0x51, 0x90, 0x6a];
const POP_R14 = [0x41, 0x5e];
const POP_R15 = [0x41, 0x5f];

/** A task of `mainline`, whose saved registers are known to be at the top of its kernel stack, or not. */
function booted(known = true) {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const stack = view.regions.find(({ kind, thread }) => kind === KERNEL && thread === 0);
  const frame = view.physical((stack?.end ?? 0) - PT_REGS_SIZE);
  const linux: GuestView = Object.assign(Object.create(view) as GuestView, {
    userRegistersPa: () => (known ? frame : -1),
  });
  const monitor = new Monitor(linux, [RESUME_IS_EXACT]);
  machine.choose = () => SYSTEM_CALL;
  /** Puts other code in the place of the first such bytes from a symbol on. */
  const patch = (symbol: string, from: readonly number[], to: readonly number[]) => {
    const at = view.physical(image.symbol(symbol) ?? 0);
    const offset = Buffer.from(machine.memory.readBytes(at, 512)).indexOf(Buffer.from(from));
    expect(offset).toBeGreaterThanOrEqual(0);
    machine.memory.writeBytes(at + offset, Uint8Array.from(to));
  };
  const [cpu] = machine.cpus;
  /** Runs up to the privilege level; answers what is violated. */
  const runTo = (cpl: number) => {
    for (let i = 0; i < ENOUGH && cpu.r[CPL] !== cpl && monitor.violation === undefined; i++) machine.step(0);
    return monitor.violation?.message;
  };
  return { machine, cpu, monitor, frame, patch, runTo };
}

test('what is saved and restored right holds', () => {
  const { monitor, runTo } = booted();
  monitor.attach();
  for (let call = 0; call < 3; call++) expect([runTo(0), runTo(3)]).toEqual([undefined, undefined]);
});

test('a register that is saved wrong is seen at the first instruction of the body', () => {
  const { monitor, patch, runTo } = booted();
  patch('entry_syscall', PUSH_R11_PUSH_CS, PUSH_RCX_PUSH_CS);
  monitor.attach();
  runTo(0);
  expect(runTo(3)).toMatch(/^expected RFLAGS \w+ of user mode in pt_regs/);
});

test('a register that is restored wrong is seen at the return', () => {
  const { monitor, patch, runTo } = booted();
  patch('return_by_sysret', POP_R15, POP_R14);
  monitor.attach();
  runTo(0);
  expect(runTo(3)).toMatch(/^expected r1[45] \w+ as in pt_regs/);
});

test.each([
  ['holds where the kernel may do that', true, undefined],
  ['is a violation where it may not', false, /^expected rbx .* as before the event/],
])('a saved register that is changed after it was saved %s', (_name, known, expected) => {
  const { machine, cpu, monitor, frame, runTo } = booted(known);
  monitor.attach();
  runTo(0);
  const { ghost } = monitor;
  for (let i = 0; i < ENOUGH && ghost.words[ghost.innermost(0) + CTX_BODY] === 0; i++) machine.step(0);
  machine.memory.write32At(frame + PT_REGS.bx, 0x1234);
  const message = runTo(3);
  if (expected === undefined) expect([message, toVa(cpu.r[RBX], 0)]).toEqual([undefined, 0x1234]);
  else expect(message).toMatch(expected);
});
