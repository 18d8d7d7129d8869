import { FLAG_IF, FLAG_TF, NMI_BLOCKED, NMI_PENDING, RAX, RSP, VEC_DB, VEC_NMI } from '../registers';
import { DELIVERED, FAULTED, HALTED, RETIRED } from '../step-result';
import {
  handlerOf,
  KERNEL_STACK,
  kernelAt,
  observe,
  poke,
  setFlags,
  setRegister,
  smallMachine,
} from '../testing/small-machine';

const HANDLER = 0x18000;

describe('NMI', () => {
  test('blocks further NMIs, latches one, and delivers it right after IRET', () => {
    const small = smallMachine();
    const { machine, cpu } = small;
    let latched = 0;
    observe(small, {
      nmiLatched: () => {
        latched++;
      },
    });
    machine.memory.writeBytes(HANDLER + 4, Uint8Array.of(0x48, 0xcf));
    kernelAt(small, '90909090'); // nop; nop; nop; nop
    machine.raiseNmi(0);
    machine.step(0);
    machine.raiseNmi(0);
    machine.raiseNmi(0);
    expect([cpu.r[NMI_BLOCKED], cpu.r[NMI_PENDING], latched]).toEqual([1, 1, 1]);
    expect(machine.step(0)).toBe(RETIRED);
    expect(cpu.r[NMI_BLOCKED]).toBe(0);
    expect(machine.step(0)).toBe(DELIVERED);
    expect(cpu.r[NMI_PENDING]).toBe(0);
  });

  test('an IRET that faults unblocks NMIs too', () => {
    const small = smallMachine();
    kernelAt(small, '48cf'); // iretq
    small.cpu.r[NMI_BLOCKED] = 1;
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.r[NMI_BLOCKED]).toBe(0);
  });

  test('INT 2 does not block NMIs', () => {
    const small = smallMachine();
    kernelAt(small, 'cd02'); // int $2
    small.machine.step(0);
    expect(small.cpu.r[NMI_BLOCKED]).toBe(0);
  });

  test('wakes a halted CPU', () => {
    const small = smallMachine();
    kernelAt(small, 'f490'); // hlt; nop
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.machine.step(0)).toBe(HALTED);
    small.machine.raiseNmi(0);
    expect(small.machine.step(0)).toBe(DELIVERED);
  });
});

describe('interrupt shadows and traps', () => {
  test('STI holds interrupts back for one instruction, but not an NMI', () => {
    const small = smallMachine();
    kernelAt(small, 'fb9090'); // sti; nop; nop
    small.machine.raiseIrq(0, 0x50);
    expect([small.machine.step(0), small.machine.step(0), small.machine.step(0)]).toEqual([
      RETIRED,
      RETIRED,
      DELIVERED,
    ]);
    kernelAt(small, 'fb9090'); // sti; nop; nop
    setFlags(small.cpu, 0);
    small.machine.step(0);
    small.machine.raiseNmi(0);
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_NMI));
  });

  test('STI with IF already set opens no shadow', () => {
    const small = smallMachine();
    kernelAt(small, 'fb9090'); // sti; nop; nop
    setFlags(small.cpu, FLAG_IF);
    small.machine.step(0);
    small.machine.raiseIrq(0, 0x50);
    expect(small.machine.step(0)).toBe(DELIVERED);
  });

  test('MOV SS holds back interrupts and NMIs', () => {
    const small = smallMachine();
    kernelAt(small, '8ed09090'); // mov %eax,%ss; nop; nop
    setRegister(small.cpu, RAX, 0x18);
    setFlags(small.cpu, FLAG_IF);
    small.machine.step(0);
    small.machine.raiseNmi(0);
    small.machine.raiseIrq(0, 0x50);
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_NMI));
  });

  test('TF traps after the instruction, before a pending NMI', () => {
    const small = smallMachine();
    kernelAt(small, '9090'); // nop; nop
    setFlags(small.cpu, FLAG_TF);
    expect(small.machine.step(0)).toBe(RETIRED);
    small.machine.raiseNmi(0);
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_DB));
    expect(small.cpu.r[NMI_PENDING]).toBe(1);
  });

  test('POPF that sets TF traps one instruction later', () => {
    const small = smallMachine();
    kernelAt(small, '9d9090'); // popf; nop; nop
    poke(small.machine, KERNEL_STACK - 8, FLAG_TF);
    setRegister(small.cpu, RSP, KERNEL_STACK - 8);
    expect([small.machine.step(0), small.machine.step(0), small.machine.step(0)]).toEqual([
      RETIRED,
      RETIRED,
      DELIVERED,
    ]);
  });
});
