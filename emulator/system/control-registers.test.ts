import {
  CPL,
  CR3,
  CR4,
  CR4_DE,
  CR4_PCIDE,
  DR6,
  DR7,
  GDTR_LIMIT,
  RAX,
  RBX,
  RCX,
  RDX,
  TR,
  VEC_GP,
  VEC_UD,
} from '../registers';
import { RETIRED } from '../step-result';
import { expectFault } from '../testing/expectations';
import { kernelAt, put64, setRegister, smallMachine, userAt } from '../testing/small-machine';

describe('control registers and MSRs', () => {
  test('CR3 bit 63 needs PCIDE and reads back as 0', () => {
    const small = smallMachine();
    kernelAt(small, '0f22d8 0f20db'); // mov %rax,%cr3; mov %cr3,%rbx
    setRegister(small.cpu, RAX, (1n << 63n) | 0x1003n);
    small.cpu.r[CR4] |= CR4_PCIDE;
    small.cpu.refresh();
    small.machine.run(0, 2);
    expect(small.cpu.get64(RBX)).toBe(0x1003n);
    small.cpu.r[CR4] &= ~CR4_PCIDE;
    kernelAt(small, '0f22d8'); // mov %rax,%cr3
    expectFault(small, VEC_GP, 0);
  });

  test('PCIDE can be turned on only while the PCID is 0', () => {
    const small = smallMachine();
    kernelAt(small, '0f22e0'); // mov %rax,%cr4
    setRegister(small.cpu, RAX, BigInt(small.cpu.r[CR4] | CR4_PCIDE));
    small.cpu.r[CR3] |= 0x18;
    expectFault(small, VEC_GP, 0);
    small.cpu.r[CR3] &= ~0x18;
    kernelAt(small, '0f22e0'); // mov %rax,%cr4
    expect(small.machine.step(0)).toBe(RETIRED);
  });

  test('a non-canonical base in an MSR is #GP(0); an unknown MSR is not implemented', () => {
    const small = smallMachine();
    kernelAt(small, '0f30'); // wrmsr
    setRegister(small.cpu, RCX, 0xc0000101n);
    setRegister(small.cpu, RDX, 0x8000n);
    expectFault(small, VEC_GP, 0);
    kernelAt(small, '0f32'); // rdmsr
    setRegister(small.cpu, RCX, 0x10n);
    expect(() => small.machine.step(0)).toThrow(/RDMSR of 0x10/);
  });

  test('LTR marks the TSS busy; LSL and VERW look without faulting', () => {
    const small = smallMachine();
    put64(small.machine, 0x10040, small.machine.memory.read32(0x10040), small.machine.memory.read32(0x10044) & ~0x200);
    kernelAt(small, '0f00d8 0f03d8 0f00e8'); // ltr %ax; lsl %eax,%ebx; verw %ax
    setRegister(small.cpu, RAX, 0x40);
    small.machine.step(0);
    expect([small.cpu.r[TR], (small.machine.memory.read32(0x10044) >> 8) & 15]).toEqual([0x40, 11]);
    small.machine.step(0);
    expect(small.cpu.get64(RBX)).toBe(0x67n);
    expect(small.cpu.rflags() & 0x40).toBe(0x40);
    small.machine.step(0);
    expect(small.cpu.rflags() & 0x40).toBe(0);
    small.cpu.r[GDTR_LIMIT] = 7;
    kernelAt(small, '0f03d8'); // lsl %eax,%ebx
    small.machine.step(0);
    expect(small.cpu.rflags() & 0x40).toBe(0);
  });
});

describe('debug registers', () => {
  test('DR4 and DR5 are DR6 and DR7, or #UD with CR4.DE, at every CPL', () => {
    const small = smallMachine();
    const { cpu, machine } = small;
    setRegister(cpu, RAX, 0xe00f);
    kernelAt(small, '0f23e0 0f21f3'); // mov %rax,%dr4; mov %dr6,%rbx
    machine.run(0, 2);
    expect([cpu.r[DR6], cpu.get64(RBX)]).toEqual([0xffffefff | 0, 0xffffefffn]);
    setRegister(cpu, RAX, 0x700);
    kernelAt(small, '0f23e8 0f21eb'); // mov %rax,%dr5; mov %dr5,%rbx
    machine.run(0, 2);
    expect([cpu.r[DR7], cpu.get64(RBX)]).toEqual([0x700, 0x700n]);
    cpu.r[CR4] |= CR4_DE;
    for (const hex of [
      '0f23e0', // mov %rax,%dr4
      '0f23e8', // mov %rax,%dr5
      '0f21e0', // mov %dr4,%rax
      '0f21e8', // mov %dr5,%rax
    ]) {
      kernelAt(small, hex);
      expectFault(small, VEC_UD);
      userAt(small, hex);
      expectFault(small, VEC_UD);
      cpu.r[CPL] = 0;
      cpu.refresh();
    }
    kernelAt(small, '0f23f8'); // mov %rax,%dr7
    expect(machine.step(0)).toBe(RETIRED);
  });

  test('DR0 to DR3 hold 64 bits; a breakpoint that DR7 enables is not implemented, high bits are #GP(0)', () => {
    const small = smallMachine();
    setRegister(small.cpu, RAX, 0x123456789abcdef0n);
    kernelAt(small, '0f23c0 0f23d8 0f21c3 0f21d9'); // mov %rax,%dr0; mov %rax,%dr3; mov %dr0,%rbx; mov %dr3,%rcx
    small.machine.run(0, 4);
    expect([small.cpu.get64(RBX), small.cpu.get64(RCX)]).toEqual([0x123456789abcdef0n, 0x123456789abcdef0n]);
    kernelAt(small, '0f23f8'); // mov %rax,%dr7
    expectFault(small, VEC_GP, 0);
    setRegister(small.cpu, RAX, 0x401n);
    kernelAt(small, '0f23f8'); // mov %rax,%dr7
    expect(() => small.machine.step(0)).toThrow(/DR7/);
  });

  test('control and debug registers that do not exist are #UD', () => {
    const small = smallMachine();
    for (const hex of [
      '0f22c8', // mov %rax,%cr1
      '0f20e8', // mov %cr5,%rax
      '440f22c8', // mov %rax,%cr9
      '440f23c0', // mov %rax,%dr8
      '440f21f8', // mov %dr15,%rax
    ]) {
      kernelAt(small, hex);
      expectFault(small, VEC_UD);
    }
  });
});
