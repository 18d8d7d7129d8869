import { APIC_IRR, APIC_ISR, FLAG_IF, RAX, RBX, VEC_NMI } from '../registers';
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
import { UnimplementedError } from '../unimplemented';

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
    expect(small.machine.cpus[1].rip()).toBe(handlerOf(VEC_NMI));
    setFlags(small.machine.cpus[1], FLAG_IF);
    expect(small.machine.step(1)).toBe(DELIVERED);
    expect(small.machine.cpus[1].rip()).toBe(handlerOf(0xfd));
  });

  /** A store or load of `value` at an offset of the APIC's page. */
  const access = (small: SmallMachine, hex: string, offset: number, value = 0): number => {
    mapDevice(small, 0xfee00000 | 0);
    kernelAt(small, hex);
    setRegister(small.cpu, RBX, APIC + offset);
    setRegister(small.cpu, RAX, value);
    expect(small.machine.step(0)).toBe(RETIRED);
    return small.cpu.r[RAX];
  };
  const STORE = '8903'; // mov %eax,(%rbx)
  const LOAD = '8b03'; // mov (%rbx),%eax
  const write = (small: SmallMachine, offset: number, value: number) => access(small, STORE, offset, value);
  const read = (small: SmallMachine, offset: number) => access(small, LOAD, offset);

  test('registers read as they were written: priority, spurious vector, command; requests and service as bit maps', () => {
    const small = smallMachine(2);
    write(small, 0x80, 0x1234);
    write(small, 0xf0, 0x31ff);
    write(small, 0x310, 0x01000000);
    write(small, 0x300, 0x1040);
    expect([0x80, 0xf0, 0x310, 0x300].map((offset) => read(small, offset))).toEqual([0x34, 0x1ff, 0x01000000, 0x40]);
    small.machine.raiseIrq(0, 0x83);
    expect([read(small, 0x240), read(small, 0x140), read(small, 0x30)]).toEqual([8, 0, 0x14]);
    small.cpu.r[APIC_ISR + 2] = 5;
    expect([read(small, 0x120), read(small, 0x20)]).toEqual([5, 0]);
  });

  test('a priority holds interrupts of its class and below back', () => {
    const small = smallMachine();
    kernelAt(small, '90'); // nop
    write(small, 0x80, 0x5f);
    small.machine.raiseIrq(0, 0x5f);
    kernelAt(small, '90'); // nop
    setFlags(small.cpu, FLAG_IF);
    expect(small.machine.step(0)).toBe(RETIRED);
    small.machine.raiseIrq(0, 0x60);
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(small.cpu.rip()).toBe(handlerOf(0x60));
  });

  test.each([
    ['to one', 0x01000000, 0x40, [1]],
    ['to all, by the address', 0xff000000, 0x40, [0, 1, 2]],
    ['to itself', 0, 0x40040, [0]],
    ['to all', 0, 0x80040, [0, 1, 2]],
    ['to all but itself', 0, 0xc0040, [1, 2]],
  ])('an interrupt %s reaches whom it should', (_name, high, low, expected) => {
    const small = smallMachine(3);
    write(small, 0x310, high);
    write(small, 0x300, low);
    const reached = small.machine.cpus.filter(({ r }) => r[APIC_IRR + 2] === 1).map(({ index }) => index);
    expect(reached).toEqual(expected);
  });

  test('a vector below 16 and a request to a disabled APIC are dropped', () => {
    const small = smallMachine();
    small.machine.raiseIrq(0, 15);
    write(small, 0xf0, 0xff);
    small.machine.raiseIrq(0, 0x40);
    expect([...small.cpu.r.slice(APIC_IRR, APIC_IRR + 8)]).toEqual([0, 0, 0, 0, 0, 0, 0, 0]);
  });

  test('another width, register or delivery mode is not implemented, and says so', () => {
    const small = smallMachine();
    expect(() => access(small, '668903', 0x80)).toThrow('a 2-byte access'); // mov %ax,(%rbx)
    expect(() => write(small, 0x84, 0)).toThrow(UnimplementedError);
    expect(() => write(small, 0x320, 0)).toThrow('writing local APIC register 0x320');
    expect(() => read(small, 0x390)).toThrow('reading local APIC register 0x390');
    expect(() => write(small, 0x300, 0x640)).toThrow('an IPI with command 0x640');
  });

  test('what is neither RAM nor a device reads as ones and ignores writes, in every width', () => {
    const small = smallMachine();
    mapDevice(small, 0xd0000000 | 0);
    for (const [hex, expected] of [
      ['8a03', 0xffn], // mov (%rbx),%al
      ['668b03', 0xffffn], // mov (%rbx),%ax
      ['8b03', 0xffffffffn], // mov (%rbx),%eax
      ['488b03', 0xffffffffffffffffn], // mov (%rbx),%rax
      ['8803 90', 0n], // mov %al,(%rbx); nop
    ] as const) {
      kernelAt(small, hex);
      setRegister(small.cpu, RBX, APIC);
      setRegister(small.cpu, RAX, 0n);
      expect(small.machine.step(0)).toBe(RETIRED);
      expect(small.cpu.get64(RAX)).toBe(expected);
    }
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
