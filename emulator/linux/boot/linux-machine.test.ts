/**
 * Promise: a kernel is started as the boot protocol says, on two CPUs, and what happens is a function of the image and
 * the options. The kernel here is a few instructions.
 */
import { ICOUNT, IN_HLT, ONLINE, RIP, RSI } from '../../registers';
import { readCpuFeatures } from '../platform/cpu-features';
import { type LinuxBoot, LinuxBootError, linuxMachine } from './linux-machine';
import { TrampolineError } from './trampoline';

const CODE = 0x400000;
const BLOB = 0xf000;

/**
 * CPU 0 starts CPU 1, prints an A, and both count, each at an address of its own. From CODE + 200h on there is code
 * that waits for the timer.
 *
 *   mov $0xfee00000,%ebx; movl $0x1000000,0x310(%rbx); movl $0xc500,0x300(%rbx); movl $0x610,0x300(%rbx)
 *   mov $0x3f8,%edx; mov $0x41,%al; out %al,(%dx); 1: lock incl 0x200000; jmp 1b
 *   second: rdtsc; 2: lock incl 0x200004; pause; jmp 2b
 *   sleeper: mov $0x6e0,%ecx; mov $1000000,%eax; xor %edx,%edx; wrmsr; hlt; hlt
 */
const FIRST =
  'bb0000e0fe c7831003000000000001 c78300030000 00c50000 c78300030000 10060000 baf8030000 b041 ee f0ff042500002000 ebf6';
const SECOND = '0f31 f0ff042504002000 f390 ebf4';
const SLEEPER = 'b9e0060000 b840420f00 31d2 0f30 f4 f4';

function words(...values: number[]): Uint8Array {
  return new Uint8Array(Int32Array.from(values).buffer);
}

function segment(paddr: number, data: Uint8Array) {
  return { vaddr: paddr, paddr, memsz: data.length, data };
}

const hex = (text: string) => Uint8Array.from(Buffer.from(text.replace(/ /g, ''), 'hex'));

/** `struct real_mode_header` at BLOB, its code a page later, `trampoline_header` and `trampoline_pgd` after that. */
const SEGMENTS = [
  segment(CODE, hex(FIRST)),
  segment(CODE + 0x100, hex(SECOND)),
  segment(CODE + 0x200, hex(SLEEPER)),
  segment(BLOB, words(0x10000, 0x11000, 0x10000, 0x11800, 0x10400, 0x12000)),
  segment(0x11800, words(CODE + 0x100, 0, 0x800, 0, 0xa0, 0)),
  segment(0x12000, words(0x2003, 0)),
  segment(0x12ff8, words(0x2003, 0)),
];

const BOOT: LinuxBoot = {
  image: { entry: CODE, segments: SEGMENTS },
  commandLine: 'console=ttyS0',
  features: readCpuFeatures(''),
  cpus: 2,
  memoryMiB: 8,
  tscHz: 100e6,
  initrd: Uint8Array.of(1, 2, 3),
};

/** What both CPUs have counted. */
function counts({ machine }: ReturnType<typeof linuxMachine>): number[] {
  return [machine.memory.read32(0x200000), machine.memory.read32(0x200004)];
}

test('CPU 0 finds boot parameters, command line, memory map, RAM disk and ACPI tables', () => {
  const { machine } = linuxMachine(BOOT);
  const [cpu, other] = machine.cpus;
  expect([cpu.r[RIP], cpu.r[RSI], other.r[ONLINE]]).toEqual([CODE, 0x90000, 0]);
  const page = Buffer.from(machine.memory.readBytes(0x90000, 4096));
  const commandLineAt = page.readUInt32LE(0x228);
  expect(Buffer.from(machine.memory.readBytes(commandLineAt, 14)).toString('latin1')).toBe('console=ttyS0\0');
  expect([page.readUInt32LE(0x218), page.readUInt32LE(0x21c)]).toEqual([0x7ff000, 3]);
  expect([...machine.memory.readBytes(0x7ff000, 4)]).toEqual([1, 2, 3, 0]);
  const map = Array.from({ length: page[0x1e8] }, (_, i) => [
    Number(page.readBigUInt64LE(0x2d0 + i * 20)),
    Number(page.readBigUInt64LE(0x2d8 + i * 20)),
    page.readUInt32LE(0x2e0 + i * 20),
  ]);
  expect(map).toEqual([
    [0, 0x9fc00, 1],
    [0x9fc00, 0x60400, 2],
    [0x100000, 0x700000, 1],
  ]);
  const seedAt = Number(page.readBigUInt64LE(0x250));
  expect([...new Int32Array(machine.memory.readBytes(seedAt, 16).buffer)]).toEqual([0, 0, 9, 32]);
  expect(new Set(machine.memory.readBytes(seedAt + 16, 32)).size).toBe(32);
  const rsdp = machine.memory.readBytes(Number(page.readBigUInt64LE(0x70)), 36);
  expect(Buffer.from(rsdp.subarray(0, 8)).toString('latin1')).toBe('RSD PTR ');
});

test('the start-up IPI leads CPU 1 through the header of the trampoline to the kernel; turns are fair', () => {
  const linux = linuxMachine(BOOT);
  expect(linux.interleaving.run(400_000)).toBe('budget');
  const [first, second] = counts(linux);
  expect(first).toBeGreaterThan(80_000);
  expect(Math.abs(first / second - 1.5)).toBeLessThan(0.1);
  expect(linux.platform.console.text).toBe('A');
});

test('two runs are the same to the bit, also one in pieces, and one after a rollback, which takes back the console', () => {
  const [whole, pieces] = [linuxMachine(BOOT), linuxMachine(BOOT)];
  const start = pieces.machine.mark();
  whole.interleaving.run(70_000);
  for (let i = 0; i < 100; i++) pieces.interleaving.run(700);
  expect(pieces.machine.fingerprint()).toBe(whole.machine.fingerprint());
  pieces.machine.rollback(start);
  expect([pieces.platform.console.text, pieces.platform.readTsc()]).toEqual(['', 0]);
  pieces.interleaving.run(70_000);
  expect(pieces.machine.fingerprint()).toBe(whole.machine.fingerprint());
});

test('boundary by boundary is the same run, and it is said before whose boundary comes next', () => {
  const [whole, steps] = [linuxMachine(BOOT), linuxMachine(BOOT)];
  const taken = [0, 0];
  const { interleaving, machine } = steps;
  let others = 0;
  for (let i = 0; i < 30_000; i++) {
    const cpu = interleaving.next();
    const other = machine.cpus[1 - cpu].r;
    const retired = other[ICOUNT];
    taken[cpu]++;
    interleaving.step();
    others += other[ICOUNT] - retired;
  }
  whole.interleaving.run(steps.platform.readTsc());
  expect(machine.fingerprint()).toBe(whole.machine.fingerprint());
  expect([taken.map((count) => count > 5_000), others]).toEqual([[true, true], 0]);
});

test('steps of many boundaries are those of one boundary each', () => {
  const [many, ones] = [linuxMachine(BOOT), linuxMachine(BOOT)];
  let taken = 0;
  for (let most = 1; taken < 30_000; most = (most * 7) % 1009) {
    many.interleaving.step(most);
    expect(many.interleaving.taken).toBeLessThanOrEqual(most);
    taken += many.interleaving.taken;
  }
  for (let i = 0; i < taken; i++) ones.interleaving.step();
  expect(many.machine.fingerprint()).toBe(ones.machine.fingerprint());
});

test('time goes on to the deadline while all CPUs wait; without one they sleep for ever', () => {
  const linux = linuxMachine({ ...BOOT, cpus: 1, image: { ...BOOT.image, entry: CODE + 0x200 } });
  expect(linux.interleaving.run(500_000)).toBe('budget');
  expect([linux.platform.readTsc(), linux.machine.cpus[0].r[IN_HLT]]).toEqual([500_000, 1]);
  expect(linux.interleaving.run(600_000)).toBe('asleep');
  expect(linux.platform.readTsc()).toBe(1_000_000);
});

test('an announcement stops a run that asks for it', () => {
  const out = 'bae0050000 b829000000 ef ebfd'; // mov $0x5e0,%edx; mov $0x29,%eax; 1: out %eax,(%dx); jmp 1b
  const linux = linuxMachine({ ...BOOT, image: { entry: CODE, segments: [segment(CODE, hex(out))] } });
  const heard: number[] = [];
  linux.platform.announced = (cpu, value) => {
    heard.push(cpu.index, value);
    linux.interleaving.stop = true;
  };
  expect([linux.interleaving.run(1000), heard]).toEqual(['stopped', [0, 0x29]]);
});

test.each([
  ['a command line that is too long', { commandLine: 'x'.repeat(2048) }],
  ['a RAM disk that does not fit', { initrd: new Uint8Array(5 << 20) }],
])('%s is one sentence', (_name, wrong) => {
  expect(() => linuxMachine({ ...BOOT, ...wrong })).toThrow(LinuxBootError);
});

test('a start-up IPI that leads to no trampoline is one sentence', () => {
  const without = SEGMENTS.filter(({ paddr }) => paddr !== BLOB);
  const linux = linuxMachine({ ...BOOT, image: { entry: CODE, segments: without } });
  expect(() => linux.interleaving.run(1000)).toThrow(TrampolineError);
});
