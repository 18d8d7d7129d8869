import { APIC_ISR, FLAG_IF, RAX, RBX } from '../registers';
import { DELIVERED, RETIRED } from '../step-result';
import {
  handlerOf,
  KERNEL,
  kernelAt,
  leafEntry,
  put64,
  type SmallMachine,
  setFlags,
  setRegister,
  smallMachine,
} from '../testing/small-machine';

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
