/**
 * CPUID of the processor that a kernel finds: an Intel Skylake server, family 6 model 55h (SDM vol. 2, CPUID), or an
 * AMD Zen 2 server, family 17h model 31h (APM vol. 3, appendix E), with what this emulator executes and nothing else:
 * no XSAVE, no MONITOR, no performance counters, no caches to tell of. The frequency of the time-stamp counter is known
 * from leaf 15h, so nobody calibrates it against a clock; kernels ask for that leaf on Intel's processors only.
 */
import type { Vendor } from '../../vendor';
import { CPU_FEATURES, EAX, EBX, ECX, EDX } from './cpu-features';

const HIGHEST_LEAF = 0x15,
  HIGHEST_EXTENDED_LEAF = 0x80000008;
/** Family 6, model 55h, stepping 4; family 17h, model 31h, stepping 0. */
const SIGNATURE = { intel: 0x00050654, amd: 0x00830f10 } as const;
const CLFLUSH_BYTES = 64;
/** FPU DE PSE TSC MSR PAE CX8 APIC PGE CMOV CLFSH FXSR SSE SSE2. */
const LEAF_1_EDX = 0x0708a37d;
/** Of EDX: the machine-check architecture, which belongs to the feature of machine checks. */
const MCA = 1 << 14;
const TSC_DEADLINE = 1 << 24;
const LAHF_IN_64_BIT_MODE = 1;
/** SYSCALL, NX, pages of 1 GiB, 64-bit mode. */
const EXTENDED_EDX = (1 << 11) | (1 << 20) | (1 << 26) | (1 << 29);
/** FXRSTOR loads the error pointers, as it does here. */
const ERROR_POINTERS = 1 << 2;
const INVARIANT_TSC = 1 << 8;
/** Address bits: 48 virtual, 32 physical (mmu/page-walk.ts). */
const ADDRESS_BITS = 0x3020;
const VENDOR = { intel: 'GenuineIntel', amd: 'AuthenticAMD' } as const;
const BRAND = 'pti-check';

type Registers = readonly [number, number, number, number];

const ZERO: Registers = [0, 0, 0, 0];

export class CpuidModel {
  readonly vendor: Vendor;
  private readonly features: ReadonlySet<string>;
  private readonly tscHz: number;

  constructor(features: ReadonlySet<string>, tscHz: number) {
    this.features = features;
    this.vendor = features.has('amd') ? 'amd' : 'intel';
    this.tscHz = tscHz;
  }

  has(name: string): boolean {
    return this.features.has(name);
  }

  /** A leaf that there is not reads as zeros. The subleaf is for the leaves that have some. */
  answer(cpu: number, leaf: number, subleaf: number, answer: Int32Array): void {
    answer.set(this.fixed(cpu, leaf, subleaf));
    if (leaf === 7 && subleaf !== 0) return;
    for (const feature of CPU_FEATURES) {
      const { name, bit } = feature;
      if (bit !== undefined && bit.leaf === leaf && this.features.has(name)) answer[bit.register] |= 1 << bit.number;
    }
  }

  private fixed(cpu: number, leaf: number, subleaf: number): Registers {
    switch (leaf) {
      case 0:
        return this.greeting(HIGHEST_LEAF);
      case 1:
        return [
          SIGNATURE[this.vendor],
          (cpu << 24) | ((CLFLUSH_BYTES / 8) << 8),
          TSC_DEADLINE,
          LEAF_1_EDX | (this.has('mce') ? MCA : 0),
        ];
      case 0x15:
        return subleaf === 0 ? [1, 1, this.tscHz, 0] : ZERO;
      case 0x80000000:
        return this.vendor === 'amd' ? this.greeting(HIGHEST_EXTENDED_LEAF) : [HIGHEST_EXTENDED_LEAF, 0, 0, 0];
      case 0x80000001:
        return [this.vendor === 'amd' ? SIGNATURE.amd : 0, 0, LAHF_IN_64_BIT_MODE, EXTENDED_EDX];
      case 0x80000002:
        return [EAX, EBX, ECX, EDX].map((i) => ascii(BRAND, i * 4)) as unknown as Registers;
      case 0x80000007:
        return [0, 0, 0, INVARIANT_TSC];
      case 0x80000008:
        return [ADDRESS_BITS, this.vendor === 'amd' ? ERROR_POINTERS : 0, 0, 0];
      default:
        return ZERO;
    }
  }

  /** Whose processor it is, behind the highest leaf. */
  private greeting(highest: number): Registers {
    const name = VENDOR[this.vendor];
    return [highest, ascii(name, 0), ascii(name, 8), ascii(name, 4)];
  }
}

/** Four characters as a little-endian word; beyond the end they are 0. */
function ascii(text: string, from: number): number {
  return [0, 1, 2, 3].reduce((word, i) => word | ((text.charCodeAt(from + i) || 0) << (8 * i)), 0);
}
