import { EFLAGS, FLAG_RF, FLAG_TF, IN_HLT, NMI_BLOCKED, R11, RCX, RDI, RSP } from '../registers';
import { DELIVERED, FAULTED, RETIRED } from '../step-result';
import {
  KERNEL_CODE,
  KERNEL_CS,
  KERNEL_SS,
  KERNEL_STACK,
  kernelAt,
  peek,
  poke,
  type SmallMachine,
  setFlags,
  setRegister,
  smallMachine,
} from '../testing/small-machine';

describe('RF', () => {
  /** RFLAGS in the frame that an interrupt pushed at CPL 0. */
  const pushedFlags = (small: SmallMachine) => Number(peek(small.machine, small.cpu.rsp() + 16));
  const nmiPushes = (small: SmallMachine) => {
    small.cpu.r[NMI_BLOCKED] = 0;
    small.machine.raiseNmi(0);
    expect(small.machine.step(0)).toBe(DELIVERED);
    return pushedFlags(small);
  };
  const iretToKernel = (small: SmallMachine, next: string, flags: number) => {
    kernelAt(small, `48cf ${next}`); // iretq
    [KERNEL_CODE + 2, KERNEL_CS, flags, KERNEL_STACK, KERNEL_SS].forEach((word, i) => {
      poke(small.machine, KERNEL_STACK - 40 + i * 8, BigInt.asUintN(64, BigInt(word)));
    });
    setRegister(small.cpu, RSP, KERNEL_STACK - 40);
    expect(small.machine.step(0)).toBe(RETIRED);
  };

  test('that IRETQ loads is 1 until the next instruction completes', () => {
    const small = smallMachine();
    iretToKernel(small, '90 90', FLAG_RF | 2); // nop; nop
    expect(small.cpu.r[EFLAGS]).toBe(FLAG_RF);
    expect(nmiPushes(small)).toBe(FLAG_RF | 2);
    iretToKernel(small, '90 90', FLAG_RF | 2); // nop; nop
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(nmiPushes(small)).toBe(2);
  });

  test('is 0 in the handler, and IRETQ without it loads 0', () => {
    const small = smallMachine();
    kernelAt(small, '0f0b'); // ud2
    expect(small.machine.step(0)).toBe(FAULTED);
    expect([pushedFlags(small), small.cpu.r[EFLAGS] & FLAG_RF]).toEqual([FLAG_RF | 2, 0]);
    setFlags(small.cpu, FLAG_RF);
    iretToKernel(small, '90', 2); // nop
    expect(nmiPushes(small)).toBe(2);
  });

  test('is cleared by the next instruction whatever that is: HLT, INT n, SYSCALL, POPF, PUSHF, a branch', () => {
    const rest = (small: SmallMachine, hex: string) => {
      kernelAt(small, hex);
      setFlags(small.cpu, FLAG_RF);
      expect(small.machine.step(0)).toBe(RETIRED);
      return small.cpu.rflags() & FLAG_RF;
    };
    const small = smallMachine();
    for (const hex of [
      'f4', // hlt
      'cd50', // int $0x50
      '0f05', // syscall
      '9c', // pushfq
      '9d', // popfq
      'eb00', // jmp
    ]) {
      expect(rest(small, hex)).toBe(0);
      small.cpu.r[IN_HLT] = 0;
    }
    setRegister(small.cpu, RSP, KERNEL_STACK);
    rest(small, 'cd50'); // int $0x50
    expect(pushedFlags(small)).toBe(2);
    rest(small, '9c'); // pushfq
    expect(peek(small.machine, small.cpu.rsp())).toBe(2n);
    rest(small, '0f05'); // syscall
    expect(small.cpu.r[R11]).toBe(2);
  });

  test('is 1 in what an interrupt between two iterations pushes, and 0 after the last', () => {
    const small = smallMachine();
    const { cpu, machine } = small;
    const begin = () => {
      kernelAt(small, 'f348ab 90'); // rep stosq; nop
      setRegister(cpu, RCX, 2n);
      setRegister(cpu, RDI, BigInt(KERNEL_STACK - 0x800));
      setRegister(cpu, RSP, KERNEL_STACK);
      setFlags(cpu, 0);
      expect(machine.step(0)).toBe(RETIRED);
    };
    begin();
    expect(nmiPushes(small)).toBe(FLAG_RF | 2);
    begin();
    expect(machine.step(0)).toBe(RETIRED);
    expect(nmiPushes(small)).toBe(2);
  });

  test('a single-step trap pushes RF as it is', () => {
    const small = smallMachine();
    kernelAt(small, 'f348ab 90'); // rep stosq; nop
    setRegister(small.cpu, RCX, 2n);
    setRegister(small.cpu, RDI, BigInt(KERNEL_STACK - 0x800));
    setFlags(small.cpu, FLAG_TF);
    expect([small.machine.step(0), small.machine.step(0)]).toEqual([RETIRED, DELIVERED]);
    expect(pushedFlags(small)).toBe(FLAG_RF | FLAG_TF | 2);
    kernelAt(small, '90'); // nop
    setFlags(small.cpu, FLAG_TF | FLAG_RF);
    expect([small.machine.step(0), small.machine.step(0)]).toEqual([RETIRED, DELIVERED]);
    expect(pushedFlags(small)).toBe(FLAG_TF | 2);
  });
});
