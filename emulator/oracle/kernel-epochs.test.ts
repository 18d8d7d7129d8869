/**
 * A kernel in epochs without QEMU: the other machine is a second emulator, which never executes what belongs to ours
 * alone. The kernel here is a few instructions.
 */
import { Mnemonic } from 'iced-x86';
import { setRflags } from '../cpu/outcome';
import { CR0, CR0_AM, FLAG_PF, FLAG_RF, RBX, RCX, VEC_AC, VEC_GP, VEC_PF, VEC_SS } from '../registers';
import { fullPlatform } from '../testing/full-platform';
import {
  KERNEL,
  KERNEL_CODE,
  leafEntry,
  physical,
  place,
  put64,
  setGate,
  smallMachine,
  USER,
} from '../testing/small-machine';
import { Twin } from '../testing/twin';
import { KernelEpochs } from './kernel-epochs';

const SCRATCH = KERNEL + 0x50000;
const APIC = KERNEL + 0x60000;
const TIMER_HANDLER = KERNEL + 0x30000,
  NMI_HANDLER = KERNEL + 0x31000,
  FAULT_HANDLER = KERNEL + 0x32000,
  PAGE_FAULT_HANDLER = KERNEL + 0x33000;
/** No page of user mode. */
const ABSENT = 0x700000;
const NON_CANONICAL = 0xfffe000000000000n;
/** Nothing here is written by the kernel. */
const UNTOUCHED = 0x70000;

const hex32 = (value: number) => Buffer.from(Int32Array.of(value).buffer).toString('hex');

/** inc %rcx; bsf %ecx,%edx; nop; test %ecx,%ecx; int $0x30 */
const USER_CODE = '48ffc1 0fbcd1 90 85c9 cd30';

/** It reads the clock, stores it, sleeps until an interrupt comes, and goes to user mode, which calls it again. */
function booted(userCode: string) {
  let time = 0;
  const readTsc = () => {
    time += 3;
    return time;
  };
  const { machine } = smallMachine(1, { ...fullPlatform(), readTsc });
  put64(machine, leafEntry(APIC), 0xfee00003 | 0);
  setGate(machine, 0x30, physical(KERNEL_CODE), 0);
  setGate(machine, 0xec, physical(TIMER_HANDLER), 0);
  setGate(machine, 2, physical(NMI_HANDLER), 0);
  for (const vector of [VEC_SS, VEC_GP, VEC_AC]) setGate(machine, vector, physical(FAULT_HANDLER), 0);
  // rdtsc; mov %rax,scratch; sti; hlt
  const body = `0f31 48890425${hex32(SCRATCH | 0)} fb f4`;
  // push $0x2b; push $0x408000; push $0x40202; push $0x33; push $USER; iretq
  place(machine, KERNEL_CODE, `${body} 6a2b 6800804000 6802020400 6a33 68${hex32(USER)} 48cf`);
  place(machine, USER, userCode);
  // movl $0,end-of-interrupt; iretq
  place(machine, TIMER_HANDLER, `c70425${hex32((APIC + 0xb0) | 0)}00000000 48cf`);
  place(machine, NMI_HANDLER, '48cf');
  // addq $3,8(%rsp); add $8,%rsp; iretq: after the instruction that faulted
  place(machine, FAULT_HANDLER, '488344240803 4883c408 48cf');
  setGate(machine, VEC_PF, physical(PAGE_FAULT_HANDLER), 0);
  // movq $USER+7,8(%rsp); add $8,%rsp; iretq
  place(machine, PAGE_FAULT_HANDLER, `48c7442408${hex32(USER + 7)} 4883c408 48cf`);
  machine.cpus[0].r[CR0] |= CR0_AM;
  return machine;
}

async function run(plant: (twin: Twin) => void = () => {}, userCode = USER_CODE) {
  const twin = new Twin();
  twin.afterStep = plant;
  let seed = 1;
  const random = () => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed / 0x80000000;
  };
  const epochs = new KernelEpochs(booted(userCode), twin, {
    steps: 5000,
    random,
    length: 10,
    irqRate: 0.2,
    nmiRate: 0.1,
  });
  return { found: await epochs.go(), epochs };
}

test('what belongs to ours alone is given to the other machine, and the two are equal after every epoch', async () => {
  const { found, epochs } = await run();
  const { counts, imitation } = epochs;
  expect(found).toBeUndefined();
  for (const count of ['alone', 'returns', 'halts', 'wholeComparisons'] as const)
    expect([count, counts[count] > 0]).toEqual([count, true]);
  for (const source of ['irq', 'nmi'] as const) expect(imitation.deliveries(source)).toBeGreaterThan(10);
});

test('status flags that the manual leaves undefined are no difference', async () => {
  const { found } = await run(({ observed: { cpu, op } }) => {
    if (op?.mnemonic === Mnemonic.Bsf) setRflags(cpu, cpu.rflags() ^ FLAG_PF);
  });
  expect(found).toBeUndefined();
});

test.each([
  // mov (%rbp),%eax
  ['non-canonical-stack', NON_CANONICAL, '8b4500'],
  ['no-alignment-check', BigInt(USER + 0x1001), '8b4500'],
  // jmp *%rbp; nop
  ['jump-to-non-canonical', NON_CANONICAL, 'ffe5 90'],
  // push $0x2b; push $0x408000; push $0x202; push $0x33; push %rbp; iretq; nop
  ['return-to-non-canonical', NON_CANONICAL, '6a2b 6800804000 6802020000 6a33 55 48cf 90'],
])('a fault that QEMU does not raise, %s, is delivered by ours alone', async (divergence, rbp, code) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(rbp);
  const raised = new Set<number>();
  const { found, epochs } = await run(
    ({ observed }) => {
      if (observed.fault !== undefined) raised.add(observed.fault.vector);
    },
    // movabs $rbp,%rbp
    `48bd${bytes.toString('hex')} ${code} ${USER_CODE}`,
  );
  expect(found).toBeUndefined();
  expect(raised).toEqual(new Set());
  expect([...epochs.divergences]).toEqual([[divergence, epochs.imitation.deliveries('fault')]]);
  expect(epochs.divergences.get(divergence)).toBeGreaterThan(10);
});

test('no event is raised where the next instruction cannot be fetched: QEMU would raise the #PF first', async () => {
  const there = { events: 0, faults: 0 };
  const { found } = await run(
    ({ machine, observed: { from, delivered, pushedFlags } }) => {
      if (from.va !== ABSENT) return;
      if (delivered?.vector !== VEC_PF || pushedFlags === undefined) there.events++;
      else {
        there.faults++;
        // As QEMU does.
        machine.memory.write32At(pushedFlags, machine.memory.read32(pushedFlags) & ~FLAG_RF);
      }
    },
    // mov $ABSENT,%ebp; jmp *%rbp
    `bd${hex32(ABSENT)} ffe5 ${USER_CODE}`,
  );
  expect(found).toBeUndefined();
  expect(there.events).toBe(0);
  expect(there.faults).toBeGreaterThan(100);
});

test('TZCNT, which a processor without BMI1 executes as BSF, is executed by ours alone', async () => {
  let executed = 0;
  const { found } = await run(
    ({ observed: { op } }) => {
      if (op?.mnemonic === Mnemonic.Tzcnt) executed++;
    },
    // tzcnt %ecx,%edx
    `f30fbcd1 ${USER_CODE}`,
  );
  expect(found).toBeUndefined();
  expect(executed).toBe(0);
});

test('a register that the other machine changes is found', async () => {
  const { found } = await run(({ observed: { cpu } }) => {
    if (cpu.r[RCX] === 50) cpu.r[RBX] = 7;
  });
  expect(found).toEqual([{ kind: 'register', name: 'rbx', ours: 0n, theirs: 7n }]);
});

test('a word that only the other machine writes is found by the comparison of all RAM', async () => {
  const { found } = await run(({ machine, observed: { cpu } }) => {
    if (cpu.r[RCX] === 50) machine.memory.write32At(UNTOUCHED, 7);
  });
  expect(found).toEqual([{ kind: 'memory', pa: UNTOUCHED, ours: 0, theirs: 7 }]);
});
