import type { Delivery, Fault } from '../observer';
import {
  CPL,
  CR2,
  CS,
  EFLAGS,
  FLAG_IF,
  FLAG_RF,
  FLAG_TF,
  IDTR_LIMIT,
  NMI_BLOCKED,
  RSP,
  SS,
  TR_LIMIT,
  VEC_DF,
  VEC_GP,
  VEC_NMI,
  VEC_PF,
  VEC_TS,
  VEC_UD,
} from '../registers';
import { DELIVERED, FAULTED, RETIRED, SHUTDOWN } from '../step-result';
import {
  handlerOf,
  IST1,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  observe,
  peek,
  put64,
  RSP0,
  type SmallMachine,
  setFlags,
  setGate,
  setRegister,
  smallMachine,
  USER,
  USER_CS,
  USER_SS,
  USER_STACK,
  userAt,
} from '../testing/small-machine';
import { vaHi, vaLo } from '../words';

const HANDLER = 0x18000;

/** Gate of `vector` to its own handler with an IST stack. */
function useIst(small: SmallMachine, vector: number, ist: number): void {
  setGate(small.machine, vector, HANDLER + vector * 2, ist);
}

describe('delivery in 64-bit mode', () => {
  test('from user mode uses rsp0 and pushes SS RSP RFLAGS CS RIP and the error code', () => {
    const small = smallMachine();
    userAt(small, '488b0425000000ff'); // mov 0xffffffffff000000,%rax
    setFlags(small.cpu, FLAG_IF | 1);
    expect(small.machine.step(0)).toBe(FAULTED);
    const frame = [0, 8, 16, 24, 32, 40].map((offset) => Number(peek(small.machine, RSP0 - 48 + offset)));
    expect(frame).toEqual([4, USER, USER_CS, FLAG_IF | FLAG_RF | 3, USER_STACK, USER_SS]);
    expect([small.cpu.r[CPL], small.cpu.r[CS], small.cpu.r[SS]]).toEqual([0, 0x10, 0]);
    expect(small.cpu.r[EFLAGS] & FLAG_IF).toBe(0);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_PF));
  });

  test('within CPL 0 stays on the current stack, aligned down to 16 before pushing, and keeps SS', () => {
    const small = smallMachine();
    kernelAt(small, '0f0b'); // ud2
    setRegister(small.cpu, RSP, KERNEL_STACK - 3);
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.rsp()).toBe(KERNEL_STACK - 16 - 40);
    expect(peek(small.machine, KERNEL_STACK - 16 - 16)).toBe(BigInt.asUintN(64, BigInt(KERNEL_STACK - 3)));
    expect(small.cpu.r[SS]).toBe(0x18);
  });

  test('an IST gate switches unconditionally, also when already on that stack', () => {
    const small = smallMachine();
    useIst(small, VEC_NMI, 1);
    kernelAt(small, '90'); // nop
    for (let round = 0; round < 2; round++) {
      small.cpu.r[NMI_BLOCKED] = 0;
      small.machine.raiseNmi(0);
      expect(small.machine.step(0)).toBe(DELIVERED);
      expect(small.cpu.rsp()).toBe(IST1 - 40);
    }
    expect(peek(small.machine, IST1 - 16)).toBe(BigInt.asUintN(64, BigInt(IST1 - 40)));
  });

  test('an interrupt gate clears IF, a trap gate keeps it; both clear TF', () => {
    for (const [type, expected] of [
      [14, 0],
      [15, FLAG_IF],
    ] as const) {
      const small = smallMachine();
      setGate(small.machine, 0x50, HANDLER, 0, type);
      kernelAt(small, 'cd50'); // int $0x50
      setFlags(small.cpu, FLAG_IF | FLAG_TF);
      expect(small.machine.step(0)).toBe(RETIRED);
      expect(small.cpu.r[EFLAGS] & (FLAG_IF | FLAG_TF)).toBe(expected);
    }
  });

  test('INT n pushes no error code and the address after it, and needs a gate with DPL >= CPL', () => {
    const small = smallMachine();
    userAt(small, 'cd50'); // int $0x50
    expect(small.machine.step(0)).toBe(RETIRED);
    expect(peek(small.machine, RSP0 - 40)).toBe(BigInt(USER + 2));
    setGate(small.machine, 0x50, HANDLER, 0, 14, 0);
    userAt(small, 'cd50'); // int $0x50
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_GP));
    expect(peek(small.machine, RSP0 - 48)).toBe(BigInt(0x50 * 8 + 2));
    expect(peek(small.machine, RSP0 - 40)).toBe(BigInt(USER));
  });

  test('CR2 has the address before the handler runs', () => {
    const small = smallMachine();
    userAt(small, '488b0425000000ff'); // mov 0xffffffffff000000,%rax
    small.machine.step(0);
    expect([small.cpu.r[CR2], small.cpu.r[CR2 + 1]]).toEqual([vaLo(-0x1000000), vaHi(-0x1000000)]);
  });

  test('a frame that cannot be pushed faults at its first word, or at the highest one of its lower page', () => {
    const small = smallMachine();
    put64(small.machine, leafEntry(KERNEL_STACK - 0x1000), 0);
    for (const [rsp, cr2] of [
      [KERNEL_STACK, KERNEL_STACK - 8],
      [KERNEL_STACK + 16, KERNEL_STACK - 8],
      [KERNEL_STACK + 32, KERNEL_STACK - 8],
    ]) {
      useIst(small, VEC_DF, 1);
      kernelAt(small, '0f0b'); // ud2
      setRegister(small.cpu, RSP, BigInt(rsp));
      small.machine.step(0);
      expect([small.cpu.r[CR2], small.cpu.r[CR2 + 1]]).toEqual([vaLo(cr2), vaHi(cr2)]);
    }
    put64(small.machine, leafEntry(KERNEL_STACK), 0);
    small.cpu.tlb.flushAll();
    kernelAt(small, '0f0b'); // ud2
    setRegister(small.cpu, RSP, BigInt(KERNEL_STACK + 32));
    small.machine.step(0);
    expect(small.cpu.r[CR2]).toBe(vaLo(KERNEL_STACK + 24));
  });

  test('a gate beyond the IDT limit is #GP with the vector, EXT set for an external event', () => {
    const small = smallMachine();
    small.cpu.r[IDTR_LIMIT] = 0x3ff;
    kernelAt(small, '90'); // nop
    setFlags(small.cpu, FLAG_IF);
    small.machine.raiseIrq(0, 0x60);
    expect(small.machine.step(0)).toBe(DELIVERED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_GP));
    expect(peek(small.machine, small.cpu.rsp())).toBe(BigInt(0x60 * 8 + 3));
  });
});

describe('double faults and shutdown', () => {
  test('a page fault whose stack is not mapped becomes #DF(0) on its IST stack', () => {
    const small = smallMachine();
    useIst(small, VEC_DF, 1);
    put64(small.machine, leafEntry(RSP0 - 8), 0);
    userAt(small, '488b0425000000ff'); // mov 0xffffffffff000000,%rax
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_DF));
    expect(small.cpu.rsp()).toBe(IST1 - 48);
    expect(peek(small.machine, IST1 - 48)).toBe(0n);
    expect(small.cpu.r[CR2]).toBe(vaLo(RSP0 - 8));
  });

  test('#GP then #PF is serial: the page fault is delivered', () => {
    const small = smallMachine();
    useIst(small, VEC_PF, 1);
    put64(small.machine, leafEntry(RSP0 - 8), 0);
    userAt(small, 'f4'); // hlt
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_PF));
  });

  test('#GP then #GP is a double fault', () => {
    const small = smallMachine();
    small.machine.memory.write32((0x11000 + 13 * 16 + 4) >> 2, 0);
    userAt(small, 'f4'); // hlt
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.rip()).toBe(handlerOf(VEC_DF));
  });

  test('a fault during #DF delivery is shutdown, which is final', () => {
    const small = smallMachine();
    const seen: string[] = [];
    observe(small, {
      shutdown: () => {
        seen.push('shutdown');
      },
    });
    put64(small.machine, leafEntry(RSP0 - 8), 0);
    userAt(small, '488b0425000000ff'); // mov 0xffffffffff000000,%rax
    expect(small.machine.step(0)).toBe(SHUTDOWN);
    expect(small.machine.step(0)).toBe(SHUTDOWN);
    expect(seen).toEqual(['shutdown']);
  });

  test('a TSS that is too short is #TS', () => {
    const small = smallMachine();
    useIst(small, VEC_TS, 0);
    small.cpu.r[TR_LIMIT] = 3;
    const faults: number[] = [];
    observe(small, {
      faulted: (_cpu, fault: Fault) => {
        faults.push(fault.vector);
      },
    });
    userAt(small, '0f0b'); // ud2
    expect(small.machine.step(0)).toBe(SHUTDOWN);
    expect(faults).toEqual([6, 10, 10, 10]);
  });
});

describe('observer calls', () => {
  test('a fault is executing, faulted, delivering, one stack access for the whole frame, delivered', () => {
    const small = smallMachine();
    const calls: string[] = [];
    observe(small, {
      executing: () => {
        calls.push('executing');
      },
      retired: () => {
        calls.push('retired');
      },
      faulted: (_c, f: Fault) => {
        calls.push(`faulted ${f.vector}`);
      },
      delivering: (_c, e: Delivery) => {
        calls.push(`delivering ${e.source} ${e.vector}`);
      },
      stackAccess: (_c, lo, _hi, bytes, write) => {
        calls.push(`stack ${lo === vaLo(RSP0 - 40)} ${bytes} ${write}`);
      },
      delivered: (cpu) => {
        calls.push(`delivered ${cpu.rip() === handlerOf(VEC_UD)}`);
      },
    });
    userAt(small, '0f0b'); // ud2
    small.machine.step(0);
    expect(calls).toEqual(['executing', 'faulted 6', 'delivering fault 6', 'stack true 40 true', 'delivered true']);
  });

  test('a watched page tells of stores with physical and virtual address, not of A and D bits', () => {
    const small = smallMachine();
    const stores: number[][] = [];
    small.machine.memory.watch(0x40008 >> 12, true);
    small.machine.memory.watch(0x7, true);
    observe(small, {
      watchedStore: (_c, pa, bytes, lo) => {
        stores.push([pa, bytes, lo]);
      },
    });
    userAt(small, '6a05'); // push $5
    setRegister(small.cpu, RSP, USER + 0x900);
    small.machine.step(0);
    expect(stores).toEqual([[0x408f8, 8, USER + 0x8f8]]);
  });

  test('run stops at the boundary after the observer asked for it', () => {
    const small = smallMachine();
    observe(small, {
      executing: (cpu) => {
        if (cpu.rip() === -0x7f000000 + 0x20002) small.machine.stop = true;
      },
    });
    kernelAt(small, '90909090f4'); // nop; nop; nop; nop; hlt
    expect(small.machine.run(0, 100)).toBe(RETIRED);
    expect(small.cpu.rip()).toBe(-0x7f000000 + 0x20003);
  });
});
