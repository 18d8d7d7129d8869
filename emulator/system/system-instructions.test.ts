import {
  CPL,
  CR3,
  CR4,
  CR4_FSGSBASE,
  CR4_SMAP,
  CS,
  EFER,
  EFER_SCE,
  EFLAGS,
  FLAG_AC,
  FLAG_IF,
  FLAG_IOPL,
  FLAG_TF,
  FMASK,
  GS_BASE,
  KERNEL_GS_BASE,
  R11,
  RAX,
  RCX,
  RDX,
  RSP,
  SS,
  VEC_DB,
  VEC_GP,
  VEC_UD,
} from '../registers';
import { DELIVERED, FAULTED, RETIRED } from '../step-result';
import { expectFault } from '../testing/expectations';
import {
  handlerOf,
  KERNEL_CODE,
  KERNEL_STACK,
  kernelAt,
  peek,
  poke,
  setFlags,
  setRegister,
  smallMachine,
  USER,
  USER_CS,
  USER_SS,
  USER_STACK,
  userAt,
} from '../testing/small-machine';
import { UnimplementedError } from '../unimplemented';

describe('SYSCALL and SYSRET', () => {
  test('SYSCALL saves RIP and RFLAGS, masks RFLAGS, and leaves RSP, CR3 and GS alone', () => {
    const small = smallMachine();
    userAt(small, '0f05'); // syscall
    setFlags(small.cpu, FLAG_IF | 0x41);
    setRegister(small.cpu, GS_BASE, 0x1234);
    small.machine.step(0);
    const { cpu } = small;
    expect(cpu.get64(RCX)).toBe(BigInt(USER + 2));
    expect(cpu.get64(R11)).toBe(BigInt(FLAG_IF | 0x43));
    expect([cpu.r[CPL], cpu.r[CS], cpu.r[SS], cpu.r[EFLAGS] & FLAG_IF]).toEqual([0, 0x10, 0x18, 0]);
    expect([cpu.rsp(), cpu.r[GS_BASE], cpu.r[CR3]]).toEqual([USER_STACK, 0x1234, 0x1000]);
  });

  test('SYSRET restores them and goes to CPL 3', () => {
    const small = smallMachine();
    kernelAt(small, '480f07'); // sysretq
    setRegister(small.cpu, RCX, USER);
    setRegister(small.cpu, R11, 0x3ffffn);
    small.machine.step(0);
    const { cpu } = small;
    expect([cpu.r[CPL], cpu.r[CS], cpu.r[SS], cpu.rip()]).toEqual([3, USER_CS, USER_SS, USER]);
    expect(cpu.rflags()).toBe((0x3ffff & 0x3c7fd7) | 2);
    // TF came with R11: the trap is taken before the first user instruction.
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(cpu.rip()).toBe(handlerOf(VEC_DB));
  });

  test('SYSRET with a non-canonical RCX is #GP at CPL 0, on the stack that is loaded', () => {
    const small = smallMachine();
    kernelAt(small, '480f07'); // sysretq
    setRegister(small.cpu, RCX, 0x800000000000n);
    expectFault(small, VEC_GP, 0);
    expect(small.cpu.rsp()).toBe(KERNEL_STACK - 48);
    expect(peek(small.machine, KERNEL_STACK - 40)).toBe(BigInt.asUintN(64, BigInt(KERNEL_CODE)));
  });

  test('both are #UD without EFER.SCE; SYSRET is #GP at CPL 3', () => {
    const small = smallMachine();
    userAt(small, '480f07'); // sysretq
    expectFault(small, VEC_GP, 0);
    userAt(small, '0f05'); // syscall
    small.cpu.r[EFER] &= ~EFER_SCE;
    expectFault(small, VEC_UD);
  });

  test('SYSCALL under TF takes no trap when FMASK clears TF', () => {
    const small = smallMachine();
    userAt(small, '0f05'); // syscall
    setFlags(small.cpu, FLAG_TF);
    small.machine.step(0);
    expect(small.machine.step(0)).toBe(RETIRED);
  });

  test('SYSCALL under TF traps before the handler’s first instruction when FMASK keeps TF', () => {
    const small = smallMachine();
    small.cpu.r[FMASK] &= ~FLAG_TF;
    userAt(small, '0f05'); // syscall
    setFlags(small.cpu, FLAG_TF);
    expect(small.machine.step(0)).toBe(RETIRED);
    setRegister(small.cpu, RSP, KERNEL_STACK);
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_DB));
    expect(peek(small.machine, small.cpu.rsp())).toBe(BigInt.asUintN(64, BigInt(handlerOf(0))));
  });

  test('SWAPGS swaps the bases at CPL 0 and is #GP elsewhere', () => {
    const small = smallMachine();
    kernelAt(small, '0f01f8'); // swapgs
    setRegister(small.cpu, GS_BASE, 1n);
    setRegister(small.cpu, KERNEL_GS_BASE, 0xffff888000000000n);
    small.machine.step(0);
    expect([small.cpu.get64(GS_BASE), small.cpu.get64(KERNEL_GS_BASE)]).toEqual([0xffff888000000000n, 1n]);
    userAt(small, '0f01f8'); // swapgs
    expectFault(small, VEC_GP, 0);
  });
});

describe('privilege', () => {
  test.each([
    ['hlt', 'f4'],
    ['cli', 'fa'],
    ['sti', 'fb'],
    ['in $0xc2,%al', 'e4c2'],
    ['rdmsr', '0f32'],
    ['wrmsr', '0f30'],
    ['mov %cr3,%rax', '0f20d8'],
    ['mov %rax,%cr3', '0f22d8'],
    ['mov %rax,%dr7', '0f23f8'],
    ['lidt (%rsp)', '0f011c24'],
    ['ltr %ax', '0f00d8'],
    ['invlpg (%rsp)', '0f013c24'],
    ['clts', '0f06'],
    ['wbinvd', '0f09'],
  ])('%s is #GP(0) at CPL 3', (_name, hex) => {
    const small = smallMachine();
    userAt(small, hex);
    expectFault(small, VEC_GP, 0);
  });

  test('STAC and CLAC set and clear AC at CPL 0 whatever CR4.SMAP is, and are #UD at CPL 3', () => {
    const small = smallMachine();
    for (const smap of [CR4_SMAP, 0]) {
      small.cpu.r[CR4] = (small.cpu.r[CR4] & ~CR4_SMAP) | smap;
      kernelAt(small, '0f01cb 0f01ca'); // stac; clac
      expect(small.machine.step(0)).toBe(RETIRED);
      expect(small.cpu.rflags()).toBe(FLAG_AC | 2);
      expect(small.machine.step(0)).toBe(RETIRED);
      expect(small.cpu.rflags()).toBe(2);
    }
    for (const hex of [
      '0f01cb', // stac
      '0f01ca', // clac
    ]) {
      userAt(small, hex);
      expectFault(small, VEC_UD);
      small.cpu.r[CPL] = 0;
    }
  });

  test('POPF changes IOPL at CPL 0 only, and IF only where CPL <= IOPL; it never faults for them', () => {
    const popf = (cpl: number, flags: number): number => {
      const small = smallMachine();
      if (cpl === 3)
        userAt(small, '9d'); // popfq
      else kernelAt(small, '9d'); // popfq
      setFlags(small.cpu, flags);
      poke(small.machine, small.cpu.rsp() - 8, FLAG_IF ^ FLAG_IOPL ^ flags);
      setRegister(small.cpu, RSP, small.cpu.rsp() - 8);
      expect(small.machine.step(0)).toBe(RETIRED);
      return small.cpu.rflags() & (FLAG_IF | FLAG_IOPL);
    };
    expect(popf(0, 0)).toBe(FLAG_IF | FLAG_IOPL);
    expect(popf(3, 0)).toBe(0);
    expect(popf(3, FLAG_IF)).toBe(FLAG_IF);
    expect(popf(3, FLAG_IOPL)).toBe(FLAG_IF | FLAG_IOPL);
  });

  test('IN and OUT are for CPL <= IOPL; OUT to the delay port does nothing, any other port is not implemented', () => {
    const run = (hex: string, iopl: number) => {
      const small = smallMachine();
      userAt(small, hex);
      setFlags(small.cpu, iopl);
      setRegister(small.cpu, RDX, 0x80n);
      const result = small.machine.step(0);
      return result === FAULTED ? small.cpu.event.vector : result;
    };
    expect([run('e4c2', FLAG_IOPL), run('e4c2', 0x2000)]).toEqual([RETIRED, 13]); // in $0xc2,%al
    expect([run('e680', FLAG_IOPL), run('ee', FLAG_IOPL), run('ee', 0x2000)]).toEqual([RETIRED, RETIRED, 13]); // out
    for (const hex of [
      'e460', // in $0x60,%al
      'e4c1', // in $0xc1,%al
      'e4d0', // in $0xd0,%al
      'e681', // out %al,$0x81
    ])
      expect(() => run(hex, FLAG_IOPL)).toThrow(UnimplementedError);
  });

  test('RDGSBASE is #UD unless CR4.FSGSBASE', () => {
    const small = smallMachine();
    userAt(small, 'f3480faec8'); // rdgsbase %rax
    expectFault(small, VEC_UD);
    userAt(small, 'f3480faec8'); // rdgsbase %rax
    small.cpu.r[CR4] |= CR4_FSGSBASE;
    setRegister(small.cpu, GS_BASE, 0x5555n);
    small.machine.step(0);
    expect(small.cpu.get64(RAX)).toBe(0x5555n);
  });
});
