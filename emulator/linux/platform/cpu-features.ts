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

/** Intel's processors without RDCL_NO can be attacked by Meltdown, so kernels turn PTI on by themselves. */
export const CPU_FEATURES: readonly CpuFeature[] = [
  {
    name: 'pcid',
    bit: { leaf: 1, register: ECX, number: 17 },
    standard: true,
    meaning: 'process-context identifiers in CR3',
  },
  { name: 'invpcid', bit: { leaf: 7, register: EBX, number: 10 }, standard: true, meaning: 'INVPCID' },
  { name: 'fsgsbase', bit: { leaf: 7, register: EBX, number: 0 }, standard: true, meaning: 'RDGSBASE and its like' },
  { name: 'smep', bit: { leaf: 7, register: EBX, number: 7 }, standard: true, meaning: 'no kernel code on user pages' },
  {
    name: 'smap',
    bit: { leaf: 7, register: EBX, number: 20 },
    standard: true,
    meaning: 'no kernel access to user pages',
  },
  {
    name: 'umip',
    bit: { leaf: 7, register: ECX, number: 2 },
    standard: false,
    meaning: 'no SGDT and its like for user code',
  },
  {
    name: 'rdtscp',
    bit: { leaf: 0x80000001, register: EDX, number: 27 },
    standard: true,
    meaning: 'RDTSCP and IA32_TSC_AUX',
  },
  { name: 'rdpid', bit: { leaf: 7, register: ECX, number: 22 }, standard: false, meaning: 'RDPID' },
  { name: 'cx16', bit: { leaf: 1, register: ECX, number: 13 }, standard: true, meaning: 'CMPXCHG16B' },
  { name: 'popcnt', bit: { leaf: 1, register: ECX, number: 23 }, standard: true, meaning: 'POPCNT' },
  {
    name: 'ibrs',
    bit: { leaf: 7, register: EDX, number: 26 },
    standard: false,
    meaning: 'IBRS and IBPB: MSRs 48h and 49h',
  },
  { name: 'stibp', bit: { leaf: 7, register: EDX, number: 27 }, standard: false, meaning: 'STIBP, a bit of MSR 48h' },
  { name: 'ssbd', bit: { leaf: 7, register: EDX, number: 31 }, standard: false, meaning: 'SSBD, a bit of MSR 48h' },
  { name: 'md-clear', bit: { leaf: 7, register: EDX, number: 10 }, standard: false, meaning: 'VERW clears buffers' },
  {
    name: 'flush-l1d',
    bit: { leaf: 7, register: EDX, number: 28 },
    standard: false,
    meaning: 'the command of MSR 10Bh',
  },
  {
    name: 'rdcl-no',
    bit: { leaf: 7, register: EDX, number: 29 },
    standard: false,
    meaning: 'MSR 10Ah says: no Meltdown',
  },
  {
    name: 'amd',
    standard: false,
    meaning: 'a processor of AMD (emulator/vendor.ts); kernels turn PTI off by themselves',
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
