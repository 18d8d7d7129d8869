import {
  APIC_ISR,
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
  FLAG_NT,
  FLAG_TF,
  FLAG_VIF,
  FLAG_VIP,
  FMASK,
  GS_BASE,
  KERNEL_GS_BASE,
  R11,
  RAX,
  RBX,
  RCX,
  RSP,
  SS,
} from '../registers';
import { DELIVERED, FAULTED, RETIRED } from '../step-result';
import {
  handlerOf,
  KERNEL,
  KERNEL_CODE,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  peek,
  place,
  poke,
  put64,
  type SmallMachine,
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

function expectFault(small: SmallMachine, vector: number, error?: number): void {
  expect(small.machine.step(0)).toBe(FAULTED);
  expect(small.cpu.rip()).toBe(handlerOf(vector));
  if (error !== undefined) expect(peek(small.machine, small.cpu.rsp())).toBe(BigInt(error));
}

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
    expect(cpu.rip()).toBe(handlerOf(1));
  });

  test('SYSRET with a non-canonical RCX is #GP at CPL 0, on the stack that is loaded', () => {
    const small = smallMachine();
    kernelAt(small, '480f07'); // sysretq
    setRegister(small.cpu, RCX, 0x800000000000n);
    expectFault(small, 13, 0);
    expect(small.cpu.rsp()).toBe(KERNEL_STACK - 48);
    expect(peek(small.machine, KERNEL_STACK - 40)).toBe(BigInt.asUintN(64, BigInt(KERNEL_CODE)));
  });

  test('both are #UD without EFER.SCE; SYSRET is #GP at CPL 3', () => {
    const small = smallMachine();
    userAt(small, '480f07'); // sysretq
    expectFault(small, 13, 0);
    userAt(small, '0f05'); // syscall
    small.cpu.r[EFER] &= ~EFER_SCE;
    expectFault(small, 6);
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
    expect(small.cpu.rip()).toBe(handlerOf(1));
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
    expectFault(small, 13, 0);
  });
});

describe('IRETQ', () => {
  const frame = (small: SmallMachine, cs: number, ss: number, rip: number | bigint = USER, flags = 2) => {
    kernelAt(small, '48cf'); // iretq
    [rip, cs, flags, USER_STACK, ss].forEach((word, i) => {
      poke(small.machine, KERNEL_STACK - 40 + i * 8, word);
    });
    setRegister(small.cpu, RSP, KERNEL_STACK - 40);
  };

  test('returns to user mode with all five words', () => {
    const small = smallMachine();
    frame(small, USER_CS, USER_SS, USER, FLAG_IF | 2);
    expect(small.machine.step(0)).toBe(RETIRED);
    const { cpu } = small;
    expect([cpu.r[CPL], cpu.rip(), cpu.rsp(), cpu.r[CS], cpu.r[SS]]).toEqual([3, USER, USER_STACK, USER_CS, USER_SS]);
    expect(cpu.r[EFLAGS] & FLAG_IF).toBe(FLAG_IF);
  });

  test.each([
    ['a null CS', 3, USER_SS, 13, 0],
    ['a data segment as CS', USER_SS, USER_SS, 13, 0x28],
    ['CS with RPL above DPL', (KERNEL_CODE & 0) | 0x13, USER_SS, 13, 0x10],
    ['CS beyond the GDT', 0x7b, USER_SS, 13, 0x78],
    ['CS in an LDT that does not exist', 0x37, USER_SS, 13, 0x34],
    ['a null SS on the way to CPL 3', USER_CS, 3, 13, 0],
    ['SS with another RPL', USER_CS, 0x28, 13, 0x28],
    ['a code segment as SS', USER_CS, USER_CS, 13, 0x30],
  ])('%s is a fault at CPL 0 that leaves rsp at the frame', (_name, cs, ss, vector, error) => {
    const small = smallMachine();
    frame(small, cs, ss);
    expectFault(small, vector, error);
    expect(peek(small.machine, small.cpu.rsp() + 32)).toBe(BigInt.asUintN(64, BigInt(KERNEL_STACK - 40)));
    expect(peek(small.machine, small.cpu.rsp() + 8)).toBe(BigInt.asUintN(64, BigInt(KERNEL_CODE)));
  });

  test('a non-present CS is #NP, a non-present SS is #SS', () => {
    const small = smallMachine();
    frame(small, USER_CS, USER_SS);
    put64(small.machine, 0x10030, 0xffff, 0x00af7b00);
    expectFault(small, 11, 0x30);
    put64(small.machine, 0x10030, 0xffff, 0x00affb00);
    put64(small.machine, 0x10028, 0xffff, 0x00cf7300);
    frame(small, USER_CS, USER_SS);
    expectFault(small, 12, 0x28);
  });

  test('a non-canonical RIP and NT are #GP(0)', () => {
    const small = smallMachine();
    frame(small, USER_CS, USER_SS, 0x8000_0000_0000n);
    expectFault(small, 13, 0);
    frame(small, USER_CS, USER_SS);
    setFlags(small.cpu, FLAG_NT);
    expectFault(small, 13, 0);
  });

  test('selectors are judged before RIP: a bad one with a non-canonical RIP is #GP(selector)', () => {
    const small = smallMachine();
    frame(small, USER_SS, USER_SS, 0x8000_0000_0000n);
    expectFault(small, 13, USER_SS & ~3);
    frame(small, USER_CS, USER_CS, 0x8000_0000_0000n);
    expectFault(small, 13, USER_CS & ~3);
  });

  test('loads VIF and VIP at CPL 0 and keeps them at CPL 3', () => {
    const small = smallMachine();
    const virtual = FLAG_VIF | FLAG_VIP;
    frame(small, USER_CS, USER_SS, USER, virtual | 2);
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.cpu.rflags()).toBe(virtual | 2);
    place(small.machine, USER, '48cf'); // iretq
    [USER, USER_CS, 2, USER_STACK, USER_SS].forEach((word, i) => {
      poke(small.machine, USER_STACK - 40 + i * 8, word);
    });
    setRegister(small.cpu, RSP, USER_STACK - 40);
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.cpu.rflags()).toBe(virtual | 2);
  });

  test('compatibility mode is not implemented, and says so', () => {
    const small = smallMachine();
    frame(small, 0x23, USER_SS);
    expect(() => small.machine.step(0)).toThrow(UnimplementedError);
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
    expectFault(small, 13, 0);
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
      // stac, clac
      userAt(small, hex);
      expectFault(small, 6);
      small.cpu.r[CPL] = 0;
    }
  });

  test('RDGSBASE is #UD unless CR4.FSGSBASE', () => {
    const small = smallMachine();
    userAt(small, 'f3480faec8'); // rdgsbase %rax
    expectFault(small, 6);
    userAt(small, 'f3480faec8'); // rdgsbase %rax
    small.cpu.r[CR4] |= CR4_FSGSBASE;
    setRegister(small.cpu, GS_BASE, 0x5555n);
    small.machine.step(0);
    expect(small.cpu.get64(RAX)).toBe(0x5555n);
  });
});

describe('local APIC and choices', () => {
  const APIC = KERNEL + 0x60000;
  const mapDevice = (small: SmallMachine, page: number) => {
    put64(small.machine, leafEntry(APIC), page | 3);
  };

  test('EOI ends the highest interrupt in service; a lower class waits for it', () => {
    const small = smallMachine();
    mapDevice(small, 0xfee00000 | 0);
    kernelAt(small, '9090'); // nop; nop
    setFlags(small.cpu, FLAG_IF);
    small.machine.raiseIrq(0, 0x60);
    small.machine.raiseIrq(0, 0x51);
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(small.cpu.rip()).toBe(handlerOf(0x60));
    kernelAt(small, 'c70300000000 9090'); // movl $0,(%rbx); nop; nop
    setRegister(small.cpu, RBX, APIC + 0xb0);
    setFlags(small.cpu, FLAG_IF);
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.cpu.r[APIC_ISR + 3]).toBe(0);
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(small.cpu.rip()).toBe(handlerOf(0x51));
  });

  test('the ICR sends fixed interrupts and NMIs to another CPU', () => {
    const small = smallMachine(2);
    mapDevice(small, 0xfee00000 | 0);
    // movl $0x1000000,0x310(%rbx); movl $0xfd,0x300(%rbx); movl $0x400,0x300(%rbx)
    kernelAt(small, 'c78310030000 00000001 c78300030000 fd000000 c78300030000 00040000');
    setRegister(small.cpu, RBX, APIC);
    small.machine.run(0, 3);
    expect(small.machine.step(1)).toBe(DELIVERED);
    expect(small.machine.cpus[1].rip()).toBe(handlerOf(2));
    setFlags(small.machine.cpus[1], FLAG_IF);
    expect(small.machine.step(1)).toBe(DELIVERED);
    expect(small.machine.cpus[1].rip()).toBe(handlerOf(0xfd));
  });

  test('a choice is a port at CPL 0 and a byte of the choice page anywhere', () => {
    const small = smallMachine();
    const asked: number[] = [];
    small.machine.choose = (_cpu, alternatives) => {
      asked.push(alternatives);
      return alternatives - 1;
    };
    mapDevice(small, 0xfed00000 | 0);
    kernelAt(small, 'e4c7 8a5b04'); // in $0xc7,%al; mov 4(%rbx),%bl
    setRegister(small.cpu, RBX, APIC);
    small.machine.run(0, 2);
    expect(asked).toEqual([7, 4]);
    expect([small.cpu.r[RAX] & 0xff, small.cpu.r[RBX] & 0xff]).toEqual([6, 3]);
  });
});
