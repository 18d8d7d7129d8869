/**
 * The same bytes on QEMU's TCG and on the emulator: a user program makes system calls in a loop and then stands still.
 * The guest has no PCID, because QEMU forgets all translations at every MOV CR3. Choices read 0 on both: QEMU has
 * nothing at the choice page, and at the choice ports a DMA controller that nobody has programmed.
 */
import { readFileSync } from 'node:fs';
import type { LoadableImage } from '../../emulator/boot';
import { type ElfImage, readElf } from '../../emulator/elf/elf-image';
import { Machine } from '../../emulator/machine';
import { Qemu } from '../../emulator/oracle/qemu';
import { CPL, CR3, ICOUNT, RIP } from '../../emulator/registers';
import { imageFile } from '../designs/images';
import { bootGuest } from '../monitor/guest';

const DESIGN = 'mainline';
const CPU = 0;
const CALLS = 40_000;
/** mov $CALLS,%ebx; 1: syscall; dec %ebx; jnz 1b; 2: jmp 2b */
const PROGRAM = Uint8Array.from([0xbb, 0, 0, 0, 0, 0x0f, 0x05, 0xff, 0xcb, 0x75, 0xfa, 0xeb, 0xfe]);
new DataView(PROGRAM.buffer).setUint32(1, CALLS, true);
const LOOP = 5;
const END = 11;
const PAGE_MASK = 0xfffff000 | 0;
const BOOT_LIMIT = 100_000;
/** Boundaries between two looks at where the program is. */
const CHUNK = 1000;

export const QEMU = 'qemu-system-x86_64';

/** Millions of instructions per CPU second of the emulator with all properties, in the loop. */
export function emulatorSpeed(): () => number {
  const image = loopImage();
  const { machine, monitor } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  // Nobody computes the abstract state here.
  monitor.stopsAtChanges = false;
  const cpu = machine.cpus[CPU];
  const start = cpu.rip();
  machine.memory.writeBytes(programAddress(machine), PROGRAM);
  return () => {
    cpu.set64(RIP, BigInt(start));
    const before = cpu.r[ICOUNT];
    const clock = process.cpuUsage();
    while (cpu.rip() !== start + END && monitor.violation === undefined) machine.run(CPU, CHUNK);
    const { user, system } = process.cpuUsage(clock);
    if (monitor.violation !== undefined)
      throw new Error(`expected the loop to hold, found: ${monitor.violation.message}`);
    return ((cpu.r[ICOUNT] - before) | 0) / (user + system);
  };
}

/** The same of QEMU, by the CPU time of its process. The process lives as long as this one. */
export async function qemuSpeed(): Promise<() => Promise<number>> {
  const image = loopImage();
  const machine = bootedMachine(image);
  const start = machine.cpus[CPU].rip();
  const pa = programAddress(machine);
  const instructions = CALLS * instructionsOfACall(machine, pa, start);
  const qemu = await Qemu.start(QEMU);
  const reset = new Machine(image, { cpus: 1 });
  reset.boot(CPU, { cpus: 1, tasks: 1, mms: 1 });
  await qemu.boot(withProgram(image, pa), reset.cpus);
  await qemu.runUntil(BigInt(start));
  await qemu.runUntil(BigInt(start + END));
  expectSameRam(qemu, machine, start + END);
  return async () => {
    await qemu.writeRegister('rip', BigInt(start));
    const before = qemu.cpuSeconds();
    await qemu.runUntil(BigInt(start + END));
    return instructions / (qemu.cpuSeconds() - before) / 1e6;
  };
}

function loopImage(): ElfImage {
  const file = imageFile(DESIGN).replace(/\.elf$/, '-nopcid.elf');
  return readElf(readFileSync(file), file);
}

function bootedMachine(image: LoadableImage): Machine {
  const machine = new Machine(image, { cpus: 1 });
  const { r } = machine.cpus[CPU];
  machine.boot(CPU, { cpus: 1, tasks: 1, mms: 1 });
  for (let i = 0; i < BOOT_LIMIT && r[CPL] !== 3; i++) machine.step(CPU);
  if (r[CPL] !== 3) throw new Error(`expected ${DESIGN} to reach user mode, found it in the kernel`);
  return machine;
}

/** Physical address of the first instruction of the user program, at which the CPU stands. */
function programAddress(machine: Machine): number {
  const cpu = machine.cpus[CPU];
  const leaf = machine.translate(cpu.r[CR3] & PAGE_MASK, cpu.rip());
  if (leaf === undefined) throw new Error('expected the user program to be mapped, found that it is not');
  return leaf.pa;
}

/** From one SYSCALL to the next, once everything is where it stays. */
function instructionsOfACall(machine: Machine, pa: number, start: number): number {
  const cpu = machine.cpus[CPU];
  machine.memory.writeBytes(pa, PROGRAM);
  const nextCall = (): number => {
    const before = cpu.r[ICOUNT];
    do machine.step(CPU);
    while (cpu.rip() !== start + LOOP);
    return cpu.r[ICOUNT] - before;
  };
  for (let i = 0; i < 4; i++) nextCall();
  return nextCall();
}

/** Brings our machine to the end of the loop, too: both have then done the same. */
function expectSameRam(qemu: Qemu, machine: Machine, end: number): void {
  while (machine.cpus[CPU].rip() !== end) machine.step(CPU);
  const theirs = new Int32Array(qemu.comparableBytes >>> 2);
  qemu.readMemory(0, new Uint8Array(theirs.buffer));
  const at = theirs.findIndex((word, i) => word !== machine.memory.words[i]);
  if (at >= 0)
    throw new Error(`expected QEMU to do what the emulator does, found other RAM at 0x${(at << 2).toString(16)}`);
}

/** The image with the loop in the place of its user program. */
function withProgram(image: LoadableImage, pa: number): LoadableImage {
  const segments = image.segments.map((segment) => {
    const at = pa - segment.paddr;
    if (at < 0 || at + PROGRAM.length > segment.data.length) return segment;
    const data = Uint8Array.from(segment.data);
    data.set(PROGRAM, at);
    return { ...segment, data };
  });
  return { entry: image.entry, segments, symbol: (name) => image.symbol(name) };
}
