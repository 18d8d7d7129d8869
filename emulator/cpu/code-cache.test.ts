import { RAX, RIP } from '../registers';
import { expectPageFault } from '../testing/expectations';
import { P, setLeaf, U, W } from '../testing/page-access';
import { KERNEL, kernelAt, place, setRegister, smallMachine, USER } from '../testing/small-machine';

describe('code pages', () => {
  test('a store into decoded code is seen by the next fetch, through another mapping too', () => {
    const small = smallMachine();
    kernelAt(small, '48ffc0 48ffc0'); // inc %rax; inc %rax
    small.machine.run(0, 2);
    setLeaf(small, USER, 0x20000, P | W | U);
    place(small.machine, KERNEL + 0x20000, '48ffc8'); // dec %rax
    setRegister(small.cpu, RAX, 10n);
    small.cpu.set64(RIP, BigInt(KERNEL + 0x20000));
    small.machine.run(0, 2);
    expect(small.cpu.get64(RAX)).toBe(10n);
  });

  test('an instruction across two pages is translated on both and re-read', () => {
    const small = smallMachine();
    const at = KERNEL + 0x21000 - 2;
    place(small.machine, at, 'b811000000'); // mov $0x11,%eax
    setLeaf(small, KERNEL + 0x21000, 0x21000, P | W);
    small.cpu.set64(RIP, BigInt(at));
    small.machine.step(0);
    expect(small.cpu.get64(RAX)).toBe(0x11n);
    small.machine.memory.write8(0x21000 - 1, 0x22);
    small.cpu.set64(RIP, BigInt(at));
    small.machine.step(0);
    expect(small.cpu.get64(RAX)).toBe(0x22n);
    setLeaf(small, KERNEL + 0x21000, 0, 0);
    small.cpu.tlb.flushAll();
    small.cpu.set64(RIP, BigInt(at));
    expectPageFault(small, small.machine.step(0), 0x10);
    expect(small.cpu.fault.addressLo).toBe((KERNEL + 0x21000) | 0);
  });
});
