/**
 * What differs between the machines that are emulated: everything of a processor and of a board that software can find
 * out or choose, and that is not the same for all. A machine has one platform; `system/guest-platform.ts` is that of
 * the entry code under test, `linux/platform/` that of a whole kernel. A platform may keep state of its own in `words`;
 * a mark saves them and a rollback restores them, as it does the extended state of each CPU.
 */
import type { Cpu } from './cpu/cpu';
import type { Vendor } from './vendor';

/** Instructions that not every processor has, or not every machine needs. */
export type OptionalInstruction =
  | 'clflush'
  | 'cmpxchg16b'
  | 'cpuid'
  | 'fpu-state'
  | 'ldt'
  | 'rdpid'
  | 'rdtsc'
  | 'rdtscp'
  | 'scan-with-f3'
  | 'wide-port-read'
  | 'xgetbv';

/**
 * What becomes of one: it is executed; it is #UD, as on a processor that does not have it; or it is refused with an
 * UnimplementedError, because nobody may take the machine for a processor of either kind.
 */
export type Offer = 'executed' | 'undefined' | 'refused';

/** What RDMSR and WRMSR of one number do (SDM vol. 4). The numbers that every machine has are in `system/msr.ts`. */
export type MsrRule =
  /** A pair of words of `cpu.x`. A bit outside the masks that is written is #GP(0). */
  | { readonly kind: 'stored'; readonly word: number; readonly writableLo: number; readonly writableHi: number }
  /** Always the same; a write is #GP(0), or is ignored. */
  | {
      readonly kind: 'constant';
      readonly lo: number;
      readonly hi: number;
      readonly write: 'fault' | 'ignored' | 'refused';
    }
  /** A command without an effect on what is modelled, of which only the low bits `allowed` may be set; not readable. */
  | { readonly kind: 'command'; readonly allowed: number }
  /** The base address of the local APIC, with the bit that is set on CPU 0 only; a write is #GP(0). */
  | { readonly kind: 'apic-base' }
  /** The time-stamp counter; a write is #GP(0). */
  | { readonly kind: 'tsc' }
  /** The deadline of the local APIC's timer; 0 disarms it (SDM vol. 3, 11.5.4.1). */
  | { readonly kind: 'tsc-deadline' };

/** How much of a local APIC there is (SDM vol. 3, 11). */
export interface ApicModel {
  /** What the version register reads as: bits 7:0 version, 23:16 the number of local vectors less one. */
  readonly version: number;
  /**
   * The registers that entry code does not use are there: local vectors, timer, logical destination, errors. Where they
   * are not, an access to one is an UnimplementedError.
   */
  readonly complete: boolean;
  /** A start-up IPI reached a CPU that waits for one. Where this is missing, INIT and start-up IPIs are refused. */
  startUp?(cpu: Cpu, vector: number): void;
}

export interface Platform {
  /** Whose processors these are. */
  readonly vendor: Vendor;
  readonly instructions: Readonly<Record<OptionalInstruction, Offer>>;
  /** CPUs have the words of `extended-state.ts`, which are part of the fingerprint then. */
  readonly extendedState: boolean;
  /** State of the board itself: part of marks and of the fingerprint. */
  readonly words: Int32Array;
  readonly msrs: ReadonlyMap<number, MsrRule>;
  /** An MSR that is in no table: #GP(0), or an UnimplementedError. */
  readonly otherMsr: 'fault' | 'refused';
  readonly apic: ApicModel;
  /**
   * What IA32_MCG_STATUS says when a machine check is delivered: MCIP, and what is known of it (SDM vol. 3, 16.3.1.2).
   * 0: the processor has no machine checks, so that one is a shutdown.
   */
  readonly machineCheckStatus: number;
  /** There are choice ports and a choice page (`system/bus.ts`). */
  readonly choices: boolean;
  /** Called once, when the machine is made. `interrupt` makes `Machine.run` return at the next boundary. */
  connect(cpus: readonly Cpu[], interrupt: () => void): void;
  /** EAX, EBX, ECX and EDX of CPUID into `answer`. */
  cpuid(cpu: Cpu, leaf: number, subleaf: number, answer: Int32Array): void;
  /** The time-stamp counter as RDTSC reads it: a whole number below 2^53. */
  readTsc(): number;
  /** Told after an MSR of kind `tsc-deadline` was written. */
  deadlineWritten(cpu: Cpu): void;
  /** The value, or undefined: there is no such port, and reading it is an UnimplementedError. Sizes are in bytes. */
  readPort(cpu: Cpu, port: number, size: number): number | undefined;
  /** False: there is no such port, and writing it is an UnimplementedError. */
  writePort(cpu: Cpu, port: number, size: number, value: number): boolean;
}
