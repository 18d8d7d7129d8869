/**
 * The offsets that a reader of a running kernel needs to know its threads, stacks and page tables. Each is asked of the
 * types (BTF) first, and else of the kernel's own code and data; what neither tells is said in a sentence.
 */
import * as code from './code-and-data';
import type { KernelImage } from './kernel-image';
import { KernelImageError } from './kernel-image-error';

/**
 * `pt_regs` (arch/x86/include/uapi/asm/ptrace.h of Linux, which is an ABI): where the entry code pushes each register,
 * in bytes from the frame's lowest address.
 */
export const PT_REGS = {
  r15: 0,
  r14: 8,
  r13: 16,
  r12: 24,
  bp: 32,
  bx: 40,
  r11: 48,
  r10: 56,
  r9: 64,
  r8: 72,
  ax: 80,
  cx: 88,
  dx: 96,
  si: 104,
  di: 112,
  orig_ax: 120,
  ip: 128,
  cs: 136,
  flags: 144,
  sp: 152,
  ss: 160,
} as const;

/** Bytes of `pt_regs`. */
export const PT_REGS_SIZE = 168;

/** Where a TSS has its stack pointers (SDM vol. 3, 8.7): RSP0 to RSP2, and IST1 to IST7 from `ist` on. */
export const TSS_WORDS = { sp0: 4, sp1: 12, sp2: 20, ist: 36 } as const;

/** In the structures of Linux, in bytes. `perCpu` ones are in the area of a CPU. */
export interface KernelOffsets {
  /** task_struct: the stack pointer while it does not run, its stack, its mm. */
  readonly task: { readonly threadSp: number; readonly stack: number; readonly mm: number };
  /** mm_struct: pointer to the root of its page tables. */
  readonly mmPgd: number;
  readonly perCpu: {
    /** Pointer to the running task. */
    readonly currentTask: number;
    /** Top of the running task's stack. */
    readonly topOfStack: number;
    /** Pointer to the last words of the interrupt stack. */
    readonly hardirqStackPointer: number | undefined;
    /** The TSS as the kernel writes it: `cpu_tss_rw`. */
    readonly tss: number;
    /** cpu_tlbstate: the mm whose tables are loaded, the copy of CR4, the PCIDs of user tables to flush. */
    readonly loadedMm: number | undefined;
    readonly cr4: number | undefined;
    readonly userPcidFlushMask: number | undefined;
    /** Pointer to the idle task. */
    readonly idle: number | undefined;
  };
  /** cpu_entry_area; undefined without types: a running CPU's TSS has the same stacks. */
  readonly cpuEntryArea: CpuEntryArea | undefined;
  /** What is undefined, a sentence each. */
  readonly missing: readonly string[];
}

interface CpuEntryArea {
  readonly size: number;
  readonly entryStack: Extent;
  readonly tss: Extent;
  /** Those of exceptions with an IST entry: DF, NMI, DB, MCE, VC, VC2. */
  readonly exceptionStacks: ReadonlyMap<string, Extent>;
}

/** In bytes from the beginning of the structure. */
interface Extent {
  readonly offset: number;
  readonly size: number;
}

/** Whom to ask: 'types' are BTF, 'code' is the kernel's code and data. */
type Source = 'types' | 'code';

type Offset =
  | 'threadSp'
  | 'stack'
  | 'mm'
  | 'mmPgd'
  | 'currentTask'
  | 'topOfStack'
  | 'hardirqStackPointer'
  | 'tss'
  | 'loadedMm'
  | 'cr4'
  | 'userPcidFlushMask'
  | 'idle';

interface Way {
  /** How a sentence calls it. */
  readonly what: string;
  readonly required: boolean;
  readonly types: (image: KernelImage) => number | undefined;
  readonly code: (image: KernelImage) => number | undefined;
}

const member = (struct: string, path: string) => (image: KernelImage) => image.types?.member(struct, path)?.offset;

/** A member of a per-CPU structure. */
const inPerCpu = (variable: string, struct: string, path: string) => (image: KernelImage) =>
  code.sum(perCpu(variable)(image), image.types?.member(struct, path)?.offset);

const perCpu = (variable: string) => (image: KernelImage) =>
  image.types?.perCpu.get(variable)?.offset ?? image.symbols.find(variable);

/** A variable of its own up to 6.1, a member of pcpu_hot up to 6.14. */
const hot = (variable: string, path: string) => (image: KernelImage) =>
  perCpu(variable)(image) ?? inPerCpu('pcpu_hot', 'pcpu_hot', path)(image);

const WAYS: Readonly<Record<Offset, Way>> = {
  threadSp: {
    what: 'thread.sp of task_struct',
    required: true,
    types: member('task_struct', 'thread.sp'),
    code: code.threadSp,
  },
  stack: { what: 'stack of task_struct', required: true, types: member('task_struct', 'stack'), code: code.taskStack },
  mm: { what: 'mm of task_struct', required: true, types: member('task_struct', 'mm'), code: code.taskMm },
  mmPgd: { what: 'pgd of mm_struct', required: true, types: member('mm_struct', 'pgd'), code: code.mmPgd },
  currentTask: {
    what: 'the per-CPU pointer to the running task',
    required: true,
    types: hot('current_task', 'current_task'),
    code: code.currentTask,
  },
  topOfStack: {
    what: "the per-CPU top of the running task's stack",
    required: true,
    types: hot('cpu_current_top_of_stack', 'top_of_stack'),
    code: code.topOfStack,
  },
  hardirqStackPointer: {
    what: 'the per-CPU pointer to the interrupt stack',
    required: false,
    types: hot('hardirq_stack_ptr', 'hardirq_stack_ptr'),
    code: code.hardirqStackPointer,
  },
  tss: {
    what: 'the per-CPU TSS (cpu_tss_rw)',
    required: true,
    types: perCpu('cpu_tss_rw'),
    code: (image) => image.symbols.find('cpu_tss_rw'),
  },
  loadedMm: {
    what: 'loaded_mm of cpu_tlbstate',
    required: false,
    types: inPerCpu('cpu_tlbstate', 'tlb_state', 'loaded_mm'),
    code: code.loadedMm,
  },
  cr4: {
    what: 'cr4 of cpu_tlbstate',
    required: false,
    types: inPerCpu('cpu_tlbstate', 'tlb_state', 'cr4'),
    code: code.cr4Shadow,
  },
  userPcidFlushMask: {
    what: 'user_pcid_flush_mask of cpu_tlbstate',
    required: false,
    types: inPerCpu('cpu_tlbstate', 'tlb_state', 'user_pcid_flush_mask'),
    code: code.userPcidFlushMask,
  },
  idle: { what: 'idle of rq', required: false, types: inPerCpu('runqueues', 'rq', 'idle'), code: code.idle },
};

/**
 * The offsets of a kernel.
 * @param sources whom to ask, in this order
 * @throws KernelImageError if one that every reader needs is nowhere
 */
export function readOffsets(image: KernelImage, sources: readonly Source[] = ['types', 'code']): KernelOffsets {
  const missing: string[] = [];
  const find = (offset: Offset): number | undefined => {
    for (const source of sources) {
      const found = WAYS[offset][source](image);
      if (found !== undefined) return found;
    }
    if (!WAYS[offset].required) missing.push(sentence(image, WAYS[offset].what));
    return undefined;
  };
  const need = (offset: Offset): number => {
    const found = find(offset);
    if (found !== undefined) return found;
    throw new KernelImageError('missing-information', sentence(image, WAYS[offset].what));
  };
  const cpuEntryArea = sources.includes('types') ? entryArea(image) : undefined;
  if (cpuEntryArea === undefined) missing.push(sentence(image, 'the stacks of cpu_entry_area'));
  return {
    task: { threadSp: need('threadSp'), stack: need('stack'), mm: need('mm') },
    mmPgd: need('mmPgd'),
    perCpu: {
      currentTask: need('currentTask'),
      topOfStack: need('topOfStack'),
      hardirqStackPointer: find('hardirqStackPointer'),
      tss: need('tss'),
      loadedMm: find('loadedMm'),
      cr4: find('cr4'),
      userPcidFlushMask: find('userPcidFlushMask'),
      idle: find('idle'),
    },
    cpuEntryArea,
    missing,
  };
}

function sentence(image: KernelImage, what: string): string {
  const looked = image.types === undefined ? 'code and data, and no .BTF' : '.BTF, code and data';
  return (
    `${image.name}: expected to find ${what} in the kernel's ${looked}, found nothing; ` +
    'build it with CONFIG_DEBUG_INFO_BTF (it needs pahole).'
  );
}

function entryArea(image: KernelImage): CpuEntryArea | undefined {
  const { types } = image;
  const size = types?.size('cpu_entry_area');
  const entryStack = types?.member('cpu_entry_area', 'entry_stack_page');
  const tss = types?.member('cpu_entry_area', 'tss');
  const stacks = types?.member('cpu_entry_area', 'estacks');
  if (!types || size === undefined || !entryStack || !tss || !stacks) return undefined;
  const exceptionStacks = new Map<string, Extent>();
  for (const name of ['DF', 'NMI', 'DB', 'MCE', 'VC', 'VC2']) {
    const stack = types.member('cea_exception_stacks', `${name}_stack`);
    if (stack) exceptionStacks.set(name, { offset: stacks.offset + stack.offset, size: stack.size });
  }
  return { size, entryStack, tss, exceptionStacks };
}
