/**
 * The features of a processor that can be switched, each but the vendor a bit of CPUID (SDM vol. 2, CPUID). What is
 * not in the list and not in `cpuid-model.ts` the processor does not have. A kernel patches its own entry code by
 * these bits, so they are the axes of a feature matrix.
 */

/** Registers of an answer of CPUID, in its order. */
export const EAX = 0,
  EBX = 1,
  ECX = 2,
  EDX = 3;

interface CpuFeature {
  /** As `--cpu` takes it. */
  readonly name: string;
  /** Of the answer of CPUID; a feature without one is more than a bit. */
  readonly bit?: { readonly leaf: number; readonly register: number; readonly number: number };
  /** The processor has it if nothing is said. */
  readonly standard: boolean;
  readonly meaning: string;
}

function bit(
  name: string,
  leaf: number,
  register: number,
  number: number,
  standard: boolean,
  meaning: string,
): CpuFeature {
  return { name, bit: { leaf, register, number }, standard, meaning };
}

/** Intel's processors without RDCL_NO can be attacked by Meltdown, so kernels turn PTI on by themselves. */
export const CPU_FEATURES: readonly CpuFeature[] = [
  bit('pcid', 1, ECX, 17, true, 'process-context identifiers in CR3'),
  bit('invpcid', 7, EBX, 10, true, 'INVPCID'),
  bit('fsgsbase', 7, EBX, 0, true, 'RDGSBASE and its like'),
  bit('smep', 7, EBX, 7, true, 'no kernel code on user pages'),
  bit('smap', 7, EBX, 20, true, 'no kernel access to user pages'),
  bit('umip', 7, ECX, 2, false, 'no SGDT and its like for user code'),
  bit('rdtscp', 0x80000001, EDX, 27, true, 'RDTSCP and IA32_TSC_AUX'),
  bit('rdpid', 7, ECX, 22, false, 'RDPID'),
  bit('mce', 1, EDX, 7, true, 'machine checks, with IA32_MCG_CAP and two banks'),
  bit('cx16', 1, ECX, 13, true, 'CMPXCHG16B'),
  bit('popcnt', 1, ECX, 23, true, 'POPCNT'),
  bit('ibrs', 7, EDX, 26, false, 'IBRS and IBPB: MSRs 48h and 49h'),
  bit('stibp', 7, EDX, 27, false, 'STIBP, a bit of MSR 48h'),
  bit('ssbd', 7, EDX, 31, false, 'SSBD, a bit of MSR 48h'),
  bit('md-clear', 7, EDX, 10, false, 'VERW clears buffers'),
  bit('flush-l1d', 7, EDX, 28, false, 'the command of MSR 10Bh'),
  bit('rdcl-no', 7, EDX, 29, false, 'MSR 10Ah says: no Meltdown'),
  {
    name: 'amd',
    standard: false,
    meaning: 'a processor of AMD (emulator/vendor.ts); kernels leave PTI off by themselves',
  },
];

/** Names that cannot be understood: the message says which there are. */
export class CpuFeatureError extends Error {
  override readonly name = 'CpuFeatureError';
}

/** The features of a list like `no-pcid,ibrs`, applied in its order to what the processor has if nothing is said. */
export function readCpuFeatures(list: string): ReadonlySet<string> {
  const features = new Set(CPU_FEATURES.filter(({ standard }) => standard).map(({ name }) => name));
  for (const word of list.split(',').map((each) => each.trim())) {
    if (word === '') continue;
    const off = word.startsWith('no-');
    const name = off ? word.slice(3) : word;
    if (!CPU_FEATURES.some((feature) => feature.name === name))
      throw new CpuFeatureError(
        `expected processor features, each with or without "no-" before it (${CPU_FEATURES.map((feature) => feature.name).join(', ')}), found "${word}"`,
      );
    if (off) features.delete(name);
    else features.add(name);
  }
  return features;
}
