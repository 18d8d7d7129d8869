import { Mnemonic } from 'iced-x86';
import { type LoadableImage, LoadError } from './boot';
import { Machine } from './machine';
import { WITHOUT_EXECUTING, WITHOUT_RETIRED } from './micro-op';
import { CPL, CS, NMI_BLOCKED, RAX, RBX, RCX, RSP, SS, VEC_NMI, VEC_PF } from './registers';
import { DELIVERED, FAULTED, HALTED, RETIRED } from './step-result';
import {
  handlerOf,
  KERNEL_STACK,
  kernelAt,
  observe,
  peek,
  RSP0,
  smallMachine,
  USER_CS,
  USER_SS,
  USER_STACK,
  userAt,
} from './testing/small-machine';

describe('machine', () => {
  test('runs straight code, a call and a loop', () => {
    const small = smallMachine();
    // mov $5,%ecx; xor %eax,%eax; 1: call 2f; dec %rcx; jnz 1b; hlt; 2: add $3,%rax; push %rax; pop %rbx; ret
    kernelAt(small, 'b905000000 31c0 e806000000 48ffc9 75f6 f4 4883c003 50 5b c3');
    expect(small.machine.run(0, 100)).toBe(HALTED);
    expect(small.cpu.get64(RAX)).toBe(15n);
    expect(small.cpu.get64(RBX)).toBe(15n);
    expect(small.cpu.get64(RCX)).toBe(0n);
    expect(small.cpu.rsp()).toBe(KERNEL_STACK);
  });

  test('starts with RFLAGS 2: no flag is set', () => {
    const { machine, cpu } = smallMachine();
    cpu.r.fill(0);
    machine.boot(0, { cpus: 1, tasks: 1, mms: 1 });
    expect(cpu.rflags()).toBe(2);
  });

  test('takes a syscall and a page fault from user mode, and an NMI', () => {
    const small = smallMachine();
    const { machine, cpu } = small;
    userAt(small, '0f05'); // syscall
    expect(machine.step(0)).toBe(RETIRED);
    expect([cpu.r[CPL], cpu.r[CS], cpu.r[SS]]).toEqual([0, 0x10, 0x18]);
    expect(cpu.rip()).toBe(handlerOf(0));
    expect(cpu.rsp()).toBe(USER_STACK);

    userAt(small, '48c7c00000f0ff 488b00'); // mov $-0x100000,%rax; mov (%rax),%rax
    expect(machine.step(0)).toBe(RETIRED);
    expect(machine.step(0)).toBe(FAULTED);
    expect(cpu.rip()).toBe(handlerOf(VEC_PF));
    expect(cpu.rsp()).toBe(RSP0 - 48);
    expect(peek(machine, RSP0 - 48)).toBe(4n);
    expect(peek(machine, RSP0 - 32)).toBe(BigInt(USER_CS));
    expect(peek(machine, RSP0 - 8)).toBe(BigInt(USER_SS));

    machine.raiseNmi(0);
    expect(machine.step(0)).toBe(DELIVERED);
    expect(cpu.rip()).toBe(handlerOf(VEC_NMI));
    expect(cpu.r[RSP] & 15).toBe(8);
  });

  test('spares its observer the calls that an instruction can do without, unless an event is pending', () => {
    const small = smallMachine();
    const told: string[] = [];
    observe(small, {
      unobserved: (op) => (op.mnemonic === Mnemonic.Nop ? WITHOUT_EXECUTING | WITHOUT_RETIRED : 0),
      executing: (_cpu, op) => told.push(`executing ${op.length}`),
      retired: (_cpu, op) => told.push(`retired ${op.length}`),
    });
    kernelAt(small, '90 4801c0 90 90'); // nop; add %rax,%rax; nop; nop
    small.machine.run(0, 3);
    expect(told).toEqual(['executing 3', 'retired 3']);
    small.cpu.r[NMI_BLOCKED] = 1;
    small.machine.raiseNmi(0);
    small.machine.run(0, 1);
    expect(told.slice(2)).toEqual(['retired 1']);
  });

  test('a rollback restores the fingerprint', () => {
    const small = smallMachine();
    kernelAt(small, '50 50 50 6a05 58 f4'); // push %rax; push %rax; push %rax; push $5; pop %rax; hlt
    const before = small.machine.fingerprint();
    const mark = small.machine.mark();
    small.machine.run(0, 10);
    expect(small.machine.fingerprint()).not.toBe(before);
    small.machine.rollback(mark);
    expect(small.machine.fingerprint()).toBe(before);
  });

  test('refuses an image that it cannot load or start, and says what is missing', () => {
    const segment = { vaddr: 0, paddr: 0x2000, memsz: 8, data: new Uint8Array(8) };
    const loading = (image: LoadableImage) => () => new Machine(image, { cpus: 1, ramBytes: 0x2000 });
    const outside = { entry: 0, segments: [segment], symbol: () => 0x1000 };
    expect(loading(outside)).toThrow(LoadError);
    expect(loading(outside)).toThrow(
      'segment at physical 0x2000, 8 bytes, does not fit RAM of 8192 bytes: usually p_paddr is not set',
    );
    const nameless = new Machine({ entry: 0, segments: [], symbol: () => undefined }, { cpus: 1, ramBytes: 0x2000 });
    expect(() => nameless.boot(0, { cpus: 1, tasks: 1, mms: 1 })).toThrow(LoadError);
  });
});
