/**
 * Promise of S28: a handler that is left out, that is given other registers than those of its event, another error code
 * or another number, or that is called again, is seen; and right code is not. The guest `mainline` calls its handlers
 * as Linux does; here its view says which they are, and instructions of its entry code are left out.
 */
import { PT_REGS } from '../../emulator/linux/image/kernel-offsets';
import { CPL, CS, RDI, SS } from '../../emulator/registers';
import { IRQ } from '../../model/kinds';
import { designImage } from '../designs/images';
import { snapshot } from '../ghost/contexts';
import { CTX_ERROR, CTX_KIND } from '../ghost/ghost';
import { type GuestView, SYSCALL_EVENT } from '../guest/guest-view';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { EVENT_IS_HANDLED } from './event-is-handled';

const ENOUGH = 4000;
const NOP = 0x90;
const PAGE_FAULT = 14;
/** What the user program does, by what it reads from its choice port. */
const TOUCH = 1,
  SYSTEM_CALL = 3;

/** An instruction of entry text: behind which symbol it is, and its first bytes. */
type LeftOut = readonly [symbol: string, code: readonly number[], length: number];

const CALL = [0xe8];
const MOV_RSP_RDI = [0x48, 0x89, 0xe7];
const MOV_ORIG_AX_RSI = [0x48, 0x8b, 0x74, 0x24, 0x78];
const MOV_MINUS_1_ORIG_AX = [0x48, 0xc7, 0x44, 0x24, 0x78];
const NOTHING: LeftOut = ['entry_syscall', [], 0];

/** The first violation of an entry from user mode and its return, with an instruction left out. */
function verdict(doing: number, [symbol, code, length]: LeftOut, more: readonly string[] = []): string | undefined {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const at = view.physical(image.symbol(symbol) ?? 0);
  const offset = Buffer.from(machine.memory.readBytes(at, 256)).indexOf(Buffer.from(code));
  expect(offset).toBeGreaterThanOrEqual(0);
  machine.memory.writeBytes(at + offset, new Uint8Array(length).fill(NOP));
  const functions = (names: readonly string[]) => new Set(names.map((name) => image.symbol(name) ?? 0));
  const ofSyscall = functions(['run_syscall', ...more]);
  const ofPageFault = functions(['handle_page_fault']);
  const handlers = {
    all: new Set([...ofSyscall, ...ofPageFault]),
    of: (event: number) =>
      event === SYSCALL_EVENT ? ofSyscall : event === PAGE_FAULT ? ofPageFault : new Set<number>(),
  };
  const judged: GuestView = Object.assign(Object.create(view) as GuestView, { handlers });
  const monitor = new Monitor(judged, [EVENT_IS_HANDLED]);
  monitor.attach();
  const choices = [doing];
  machine.choose = () => choices.shift() ?? 0;
  const [cpu] = machine.cpus;
  for (const cpl of [0, 3])
    for (let i = 0; i < ENOUGH && cpu.r[CPL] !== cpl && monitor.violation === undefined; i++) machine.step(0);
  expect([cpu.r[CPL], monitor.violation === undefined]).not.toEqual([0, true]);
  return monitor.violation?.message;
}

test.each([
  ['a system call', SYSTEM_CALL],
  ['a page fault', TOUCH],
])('%s that is handled', (_name, doing) => {
  expect(verdict(doing, NOTHING)).toBeUndefined();
});

test.each([
  [
    'a system call that is dropped',
    SYSTEM_CALL,
    ['entry_syscall', CALL, 5],
    /^expected run_syscall to have run before/,
  ],
  ['one with other registers', SYSTEM_CALL, ['entry_syscall', MOV_RSP_RDI, 3], /^expected ip .*found/],
  ['one with another number', SYSTEM_CALL, ['entry_syscall', MOV_ORIG_AX_RSI, 5], /number .*in esi, 39, found/],
  ['a page fault with other registers', TOUCH, ['entry_page_fault', MOV_RSP_RDI, 3], /^expected ip .*found/],
  ['one with another error code', TOUCH, ['entry_page_fault', MOV_ORIG_AX_RSI, 5], /error code in rsi, 0{15}6/],
  ['one that looks like a system call', TOUCH, ['entry_page_fault', MOV_MINUS_1_ORIG_AX, 9], /^expected orig_ax f{16}/],
] as const)('%s', (_name, doing, leftOut, expected) => {
  expect(verdict(doing, leftOut)).toMatch(expected);
});

/** What S28 says of a page fault, whose handler is given registers `to` bytes behind a return that was interrupted. */
function atCompletedReturn(known: boolean, to: number): string | undefined {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const [cpu] = machine.cpus;
  for (let i = 0; i < ENOUGH && cpu.r[CPL] !== 0; i++) machine.step(0);
  for (let i = 0; i < ENOUGH && !view.isText(cpu.rip()); i++) machine.step(0);
  const handled = new Set([cpu.rip()]);
  const judged: GuestView = Object.assign(Object.create(view) as GuestView, {
    handlers: { all: handled, of: () => handled },
    completedReturns: new Map(known ? [[cpu.rip(), 0]] : []),
  });
  const monitor = new Monitor(judged, [EVENT_IS_HANDLED]);
  const { ghost } = monitor;
  const at = ghost.open(0);
  snapshot(judged, cpu, ghost.words, at);
  ghost.words[at + CTX_KIND] = IRQ;
  ghost.words[at + CTX_ERROR] = -1;
  const saved = cpu.rsp() - 512;
  const put = (place: keyof typeof PT_REGS, value: number) =>
    machine.memory.writeBytes(
      view.physical(saved + PT_REGS[place]),
      new Uint8Array(BigInt64Array.of(BigInt(value)).buffer),
    );
  put('ip', view.pointerAt(view.physical(cpu.rsp())) + to);
  put('sp', cpu.rsp() + 8);
  put('cs', cpu.r[CS]);
  put('ss', cpu.r[SS]);
  put('flags', cpu.rflags());
  put('orig_ax', -1);
  cpu.set64(RDI, BigInt(saved));
  const { moments } = EVENT_IS_HANDLED;
  return typeof moments === 'function' ? undefined : moments.handlerReached?.(monitor, cpu);
}

test('a return that the kernel has completed before it calls its handler is right, where it does that', () => {
  expect(atCompletedReturn(true, 0)).toBeUndefined();
  expect(atCompletedReturn(true, 1)).toMatch(/^expected ip/);
  expect(atCompletedReturn(false, 0)).toMatch(/^expected ip/);
});

test('a function of the event that is called again', () => {
  expect(verdict(SYSTEM_CALL, NOTHING, ['do_syscall_64'])).toMatch(/called once, found it called again/);
});
