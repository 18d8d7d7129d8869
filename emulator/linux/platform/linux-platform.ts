/**
 * A board and processors on which Linux boots: a complete local APIC with a TSC-deadline timer, a serial port, a
 * clock that stands still, and nothing else: no PCI, I/O APIC, PIC, PIT, HPET, firmware. Other ports read as ones and
 * ignore writes.
 *
 * Time is what was executed: the time-stamp counter of every CPU is the number of instructions that all CPUs have
 * retired, and what was skipped while all of them waited in HLT. So it never goes back, no CPU is behind another, and a
 * rollback restores it.
 */
import type { Cpu } from '../../cpu/cpu';
import type { ApicModel, MsrRule, Offer, OptionalInstruction, Platform } from '../../platform';
import { ICOUNT } from '../../registers';
import { LMCE_S, MCIP, RIPV } from '../../system/machine-check';
import type { Vendor } from '../../vendor';
import { CpuidModel } from './cpuid-model';
import { msrTable } from './msr-table';
import { RealTimeClock } from './real-time-clock';
import { CONSOLE_WORDS, SerialConsole } from './serial-console';

/** The port to which a program in the kernel's user mode says what comes next. */
const ANNOUNCE_PORT = 0x5e0;
/** Words of the platform: skipped time (a pair), turn of the interleaving (linux/boot/interleaving.ts), devices. */
const SKIPPED = 0;
export const W_TURN = 2,
  W_LEFT_OF_TURN = 3,
  W_WAITING = 4;
const CLOCK_INDEX = 5;
const CONSOLE = 8;
const PLATFORM_WORDS = CONSOLE + CONSOLE_WORDS;
/** Six local vectors, version 14h. */
const APIC_VERSION = 0x50014;
const TWO_32 = 4294967296;

/** What the processor has whatever its switchable features are, and what it does not have. */
const ALWAYS: Readonly<Record<OptionalInstruction, Offer>> = {
  clflush: 'executed',
  cmpxchg16b: 'executed',
  cpuid: 'executed',
  'fpu-state': 'executed',
  ldt: 'executed',
  rdpid: 'undefined',
  rdtsc: 'executed',
  rdtscp: 'undefined',
  'scan-with-f3': 'executed',
  'wide-port-read': 'executed',
  xgetbv: 'undefined',
};

interface LinuxPlatformOptions {
  /** Names of `CPU_FEATURES`. */
  readonly features: ReadonlySet<string>;
  /** Instructions that make up a second of the kernel's time. */
  readonly tscHz: number;
  /** A CPU is to leave its wait for a start-up IPI with this vector. */
  startUp(cpu: Cpu, vector: number): void;
}

export class LinuxPlatform implements Platform {
  readonly vendor: Vendor;
  readonly instructions: Readonly<Record<OptionalInstruction, Offer>>;
  readonly extendedState = true;
  readonly words = new Int32Array(PLATFORM_WORDS);
  readonly msrs: ReadonlyMap<number, MsrRule>;
  readonly otherMsr = 'fault';
  readonly apic: ApicModel;
  readonly machineCheckStatus: number;
  readonly choices = false;
  readonly console = new SerialConsole(this.words, CONSOLE);
  private readonly clock = new RealTimeClock(this.words, CLOCK_INDEX);
  /** Told of every write to `ANNOUNCE_PORT`. */
  announced: (cpu: Cpu, value: number) => void = () => {};
  private readonly model: CpuidModel;
  private cpus: readonly Cpu[] = [];
  private interrupt: () => void = () => {};

  constructor(options: LinuxPlatformOptions) {
    this.model = new CpuidModel(options.features, options.tscHz);
    this.vendor = this.model.vendor;
    this.msrs = msrTable(this.model);
    this.machineCheckStatus = this.model.has('mce') ? RIPV | MCIP | (this.vendor === 'intel' ? LMCE_S : 0) : 0;
    this.apic = { version: APIC_VERSION, complete: true, startUp: options.startUp };
    this.instructions = {
      ...ALWAYS,
      rdtscp: this.model.has('rdtscp') ? 'executed' : 'undefined',
      rdpid: this.model.has('rdpid') ? 'executed' : 'undefined',
    };
  }

  connect(cpus: readonly Cpu[], interrupt: () => void): void {
    this.cpus = cpus;
    this.interrupt = interrupt;
  }

  cpuid(cpu: Cpu, leaf: number, subleaf: number, answer: Int32Array): void {
    this.model.answer(cpu.index, leaf, subleaf, answer);
  }

  readTsc(): number {
    return pair(this.words, SKIPPED) + this.retired();
  }

  /** Instructions that all CPUs have retired. */
  retired(): number {
    let sum = 0;
    for (const { r } of this.cpus) sum += pair(r, ICOUNT);
    return sum;
  }

  /** All CPUs wait: time goes on by `cycles`. */
  skipTime(cycles: number): void {
    const skipped = pair(this.words, SKIPPED) + cycles;
    this.words[SKIPPED] = skipped | 0;
    this.words[SKIPPED + 1] = Math.floor(skipped / TWO_32);
  }

  /** Whoever runs the CPUs has to look at the deadlines anew. */
  deadlineWritten(): void {
    this.interrupt();
  }

  readPort(_cpu: Cpu, port: number, size: number): number {
    if (this.console.owns(port)) return this.console.read(port);
    if (this.clock.owns(port)) return this.clock.read(port);
    return size === 4 ? -1 : size === 2 ? 0xffff : 0xff;
  }

  writePort(cpu: Cpu, port: number, _size: number, value: number): boolean {
    if (this.console.owns(port)) this.console.write(port, value & 0xff);
    else if (this.clock.owns(port)) this.clock.write(port, value);
    else if (port === ANNOUNCE_PORT) {
      this.announced(cpu, value);
      this.interrupt();
    }
    return true;
  }
}

function pair(words: Int32Array, at: number): number {
  return (words[at + 1] >>> 0) * TWO_32 + (words[at] >>> 0);
}
