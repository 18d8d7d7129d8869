/** The accessed bit of a descriptor (SDM vol. 3, 3.4.5.1): every load of a selector sets it, and may fault for that. */
import { CS, RAX, RIP, RSP, VEC_PF } from '../registers';
import { DELIVERED, FAULTED, RETIRED } from '../step-result';
import {
  handlerOf,
  KERNEL,
  KERNEL_CS,
  KERNEL_SS,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  peek,
  poke,
  put64,
  type SmallMachine,
  setRegister,
  smallMachine,
  USER,
  USER_CS,
  USER_SS,
  USER_STACK,
} from '../testing/small-machine';

const GDT = 0x10000;
const FRAME = KERNEL + 0x50000;
const ACCESSED = 0x100;

/** In the high word of the descriptor. */
function accessed({ machine }: SmallMachine, selector: number): boolean {
  return (machine.memory.read32(GDT + (selector & ~7) + 4) & ACCESSED) !== 0;
}

function clear({ machine }: SmallMachine, selectors: readonly number[]): void {
  for (const selector of selectors) {
    const at = GDT + (selector & ~7) + 4;
    machine.memory.write32At(at, machine.memory.read32(at) & ~ACCESSED);
  }
}

function withFrame(code: string, words: readonly number[]) {
  return (small: SmallMachine) => {
    kernelAt(small, code);
    setRegister(small.cpu, RSP, BigInt(FRAME));
    for (const [i, word] of words.entries()) poke(small.machine, FRAME + 8 * i, BigInt(word));
  };
}

function withRax(code: string, selector: number) {
  return (small: SmallMachine) => {
    kernelAt(small, code);
    setRegister(small.cpu, RAX, selector);
  };
}

const LOADS: readonly [name: string, prepare: (small: SmallMachine) => void, selectors: readonly number[]][] = [
  ['MOV DS', withRax('8ed8', USER_SS), [USER_SS]], // mov %eax,%ds
  ['MOV SS', withRax('8ed0', KERNEL_SS), [KERNEL_SS]], // mov %eax,%ss
  ['POP FS', withFrame('0fa1', [USER_SS]), [USER_SS]], // pop %fs
  ['LRETQ', withFrame('48cb', [KERNEL, KERNEL_CS]), [KERNEL_CS]], // lretq
  ['IRETQ', withFrame('48cf', [USER, USER_CS, 2, USER_STACK, USER_SS]), [USER_CS, USER_SS]], // iretq
  ['IRETQ with a NULL SS', withFrame('48cf', [KERNEL, KERNEL_CS, 2, KERNEL_STACK, 0]), [KERNEL_CS]], // iretq
];

test.each(LOADS)('%s sets it', (_name, prepare, selectors) => {
  const small = smallMachine();
  prepare(small);
  clear(small, selectors);
  expect(small.machine.step(0)).toBe(RETIRED);
  expect(selectors.map((selector) => accessed(small, selector))).toEqual(selectors.map(() => true));
});

test.each(LOADS)(
  '%s is a page fault if it is clear and the GDT is read-only, and needs no write if it is set',
  (_n, prepare, selectors) => {
    const small = smallMachine();
    prepare(small);
    put64(small.machine, leafEntry(KERNEL + GDT), GDT | 1);
    const mark = small.machine.mark();
    expect(small.machine.step(0)).toBe(RETIRED);
    small.machine.rollback(mark);
    // The handler's own code segment is another one.
    if (selectors.includes(KERNEL_CS)) return;
    clear(small, selectors);
    const rip = small.cpu.get64(RIP);
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_PF));
    expect(peek(small.machine, small.cpu.rsp())).toBe(3n);
    expect(peek(small.machine, small.cpu.rsp() + 8)).toBe(rip);
    expect(small.cpu.r[CS]).toBe(KERNEL_CS);
  },
);

test('the delivery of an event sets it for the code segment of the gate', () => {
  const small = smallMachine();
  kernelAt(small, '90'); // nop
  clear(small, [KERNEL_CS]);
  small.machine.raiseNmi(0);
  expect(small.machine.step(0)).toBe(DELIVERED);
  expect(accessed(small, KERNEL_CS)).toBe(true);
});
