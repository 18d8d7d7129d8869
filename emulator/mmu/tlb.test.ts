import { CR3, CR4, CR4_PCIDE, CR4_PGE, RAX, RCX, VEC_GP } from '../registers';
import { FAULTED, RETIRED } from '../step-result';
import { expectPageFault } from '../testing/expectations';
import { access, G, LOAD, P, PAGE, STORE, setLeaf, W } from '../testing/page-access';
import {
  handlerOf,
  KERNEL,
  kernelAt,
  poke,
  type SmallMachine,
  setRegister,
  smallMachine,
} from '../testing/small-machine';

describe('TLB', () => {
  /** Loads through PAGE, then points PAGE elsewhere without telling the TLB. */
  function stale(small: SmallMachine, flags = P | W): void {
    poke(small.machine, PAGE, 1n);
    small.machine.memory.write32(0x70000 >> 2, 2);
    setLeaf(small, PAGE, 0x50000, flags);
    access(small, LOAD, PAGE);
    setLeaf(small, PAGE, 0x70000, flags);
  }

  function reads(small: SmallMachine): number {
    access(small, LOAD, PAGE);
    return small.cpu.r[RAX];
  }

  function writeCr3(small: SmallMachine, value: bigint): void {
    kernelAt(small, '0f22d8'); // mov %rax,%cr3
    setRegister(small.cpu, RAX, value);
    expect(small.machine.step(0)).toBe(RETIRED);
  }

  function invpcid(small: SmallMachine, type: number, pcid: number, address: number): number {
    poke(small.machine, KERNEL + 0x60000, pcid);
    poke(small.machine, KERNEL + 0x60008, address);
    setRegister(small.cpu, RCX, type);
    return access(small, '660f38820b', KERNEL + 0x60000); // invpcid (%rbx),%rcx
  }

  function withPcid(): SmallMachine {
    const small = smallMachine();
    small.cpu.r[CR4] |= CR4_PCIDE;
    small.cpu.r[CR3] = 0x1001;
    small.cpu.refresh();
    return small;
  }

  test('keeps a translation until INVLPG; a not-present one is never cached', () => {
    const small = smallMachine();
    stale(small);
    expect(reads(small)).toBe(1);
    access(small, '0f013b', PAGE); // invlpg (%rbx)
    expect(reads(small)).toBe(2);
    setLeaf(small, PAGE, 0, 0);
    access(small, '0f013b', PAGE); // invlpg (%rbx)
    expect(access(small, LOAD, PAGE)).toBe(FAULTED);
    setLeaf(small, PAGE, 0x50000, P | W);
    expect(reads(small)).toBe(1);
  });

  test('without PCIDE, MOV CR3 drops all but Global entries', () => {
    const small = smallMachine();
    stale(small);
    writeCr3(small, 0x1000n);
    expect(reads(small)).toBe(2);
    stale(small, P | W | G);
    access(small, '0f013b', PAGE); // invlpg (%rbx)
    stale(small, P | W | G);
    writeCr3(small, 0x1000n);
    expect(reads(small)).toBe(1);
  });

  test('with PCIDE, MOV CR3 drops the new PCID’s entries unless bit 63 is set, and never another PCID’s', () => {
    const small = withPcid();
    stale(small);
    writeCr3(small, 0x1002n);
    expect(reads(small)).toBe(2);
    writeCr3(small, (1n << 63n) | 0x1001n);
    expect(reads(small)).toBe(1);
    writeCr3(small, 0x1001n);
    expect(reads(small)).toBe(2);
  });

  test('keeps what each of many PCIDs has cached', () => {
    const small = withPcid();
    const pcids = Array.from({ length: 12 }, (_, i) => BigInt(2 + i));
    for (const pcid of pcids) {
      writeCr3(small, 0x1000n | pcid);
      stale(small);
    }
    for (const pcid of pcids) {
      writeCr3(small, (1n << 63n) | 0x1000n | pcid);
      expect(reads(small)).toBe(1);
    }
  });

  test('a Global entry matches any PCID; toggling CR4.PGE flushes it', () => {
    const small = withPcid();
    stale(small, P | W | G);
    writeCr3(small, 0x1002n);
    expect(reads(small)).toBe(1);
    kernelAt(small, '0f22e0 0f22e1'); // mov %rax,%cr4; mov %rcx,%cr4
    setRegister(small.cpu, RAX, small.cpu.r[CR4] & ~CR4_PGE);
    setRegister(small.cpu, RCX, small.cpu.r[CR4]);
    small.machine.run(0, 2);
    expect(reads(small)).toBe(2);
  });

  test('INVLPG drops the current PCID’s entry and Global ones, not another PCID’s', () => {
    const small = withPcid();
    stale(small);
    writeCr3(small, 0x1002n);
    access(small, '0f013b', PAGE); // invlpg (%rbx)
    writeCr3(small, (1n << 63n) | 0x1001n);
    expect(reads(small)).toBe(1);
  });

  test.each([
    [0, 1, 2, 1],
    [0, 2, 1, 1],
    [1, 1, 2, 1],
    [1, 2, 1, 1],
    [2, 0, 2, 2],
    [3, 0, 2, 1],
  ])('INVPCID type %i for PCID %i: a plain entry of PCID 1 reads %i, a Global one %i', (type, pcid, plain, global) => {
    for (const [flags, expected] of [
      [P | W, plain],
      [P | W | G, global],
    ]) {
      const small = withPcid();
      stale(small, flags);
      expect(invpcid(small, type, pcid, PAGE)).toBe(RETIRED);
      expect(reads(small)).toBe(expected);
    }
  });

  test('INVPCID with a bad type, reserved bits, or a PCID without PCIDE is #GP', () => {
    const small = withPcid();
    expect(invpcid(small, 4, 0, 0)).toBe(FAULTED);
    expect(invpcid(small, 1, 0x1000, 0)).toBe(FAULTED);
    const plain = smallMachine();
    expect(invpcid(plain, 1, 1, 0)).toBe(FAULTED);
    expect(plain.cpu.rip()).toBe(handlerOf(VEC_GP));
  });

  test('a stale entry that is too strict faults once, then the tables count', () => {
    const small = smallMachine();
    setLeaf(small, PAGE, 0x50000, P);
    access(small, LOAD, PAGE);
    setLeaf(small, PAGE, 0x50000, P | W);
    expectPageFault(small, access(small, STORE, PAGE), 3);
    expect(access(small, STORE, PAGE)).toBe(RETIRED);
  });

  test('a page fault drops what is cached of its address, also when the tables no longer map it', () => {
    const small = smallMachine();
    for (const flags of [P | W, P | W | G]) {
      stale(small, flags);
      setLeaf(small, PAGE, 0, 0);
      expect(access(small, LOAD, PAGE)).toBe(RETIRED);
      expectPageFault(small, access(small, STORE, PAGE), 2);
      expectPageFault(small, access(small, LOAD, PAGE), 0);
    }
  });

  test('a page fault of one PCID leaves what another one has cached, unless it is Global', () => {
    for (const [flags, expected] of [
      [P | W, RETIRED],
      [P | W | G, FAULTED],
    ]) {
      const small = withPcid();
      stale(small, flags);
      setLeaf(small, PAGE, 0, 0);
      writeCr3(small, 0x1002n);
      access(small, STORE, PAGE);
      writeCr3(small, (1n << 63n) | 0x1001n);
      expect(access(small, LOAD, PAGE)).toBe(expected);
    }
  });

  test('a TLB generation that wraps forgets, it does not revive', () => {
    const small = smallMachine();
    stale(small);
    for (let i = 0; i < 4200; i++) small.cpu.tlb.flushAll();
    small.cpu.refresh();
    expect(reads(small)).toBe(2);
  });

  test('a rollback restores what is cached', () => {
    const small = withPcid();
    stale(small);
    const fingerprint = small.machine.fingerprint();
    const mark = small.machine.mark();
    writeCr3(small, 0x1002n);
    reads(small);
    invpcid(small, 2, 0, 0);
    small.machine.rollback(mark);
    expect(small.machine.fingerprint()).toBe(fingerprint);
    expect(reads(small)).toBe(1);
  });
});
