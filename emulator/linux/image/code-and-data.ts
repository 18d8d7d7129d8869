/**
 * Offsets that a kernel without BTF tells all the same: by the operands of its own entry and switch code, and by the
 * pointers in its statically initialised objects. `init_task` is a task_struct whose stack, `init_mm` and context are
 * known by symbols, so where they stand in it is where every task has its own.
 */
import '../../decode/iced';
import { Decoder, DecoderOptions, Mnemonic, OpKind, Register } from 'iced-x86';
import { toBigInt, vaHi, vaLo } from '../../words';
import type { KernelImage } from './kernel-image';

/** No object that is searched is larger, in bytes: a task_struct has some ten thousand. */
const MAX_OBJECT = 1 << 16;
/** No function that is looked at is larger. */
const MAX_FUNCTION = 1 << 12;

/** What of one instruction with a memory operand matters here. */
interface MemoryOperand {
  readonly mnemonic: Mnemonic;
  /** The register that is loaded from memory or stored there, or Register.None. */
  readonly register: Register;
  readonly isStore: boolean;
  readonly base: Register;
  readonly isGs: boolean;
  /** Displacement; of an operand relative to RIP the address itself. */
  readonly address: number;
}

/** The bytes of a symbol's object or function: up to the next symbol or the end of the segment, and `most` at most. */
function bytesOfSymbol(image: KernelImage, name: string, most: number): { at: number; bytes: Uint8Array } | undefined {
  const at = image.symbols.find(name);
  if (at === undefined) return undefined;
  const segment = image.segments.find(({ vaddr, filesz }) => at >= vaddr && at - vaddr < filesz);
  if (segment === undefined) return undefined;
  const isBehind = (va: number) => va > at && va < 0 === at < 0;
  const next = image.symbols.list.find(({ address }) => isBehind(address))?.address ?? at + most;
  const offset = at - segment.vaddr;
  return { at, bytes: segment.data.subarray(offset, offset + Math.min(next - at, most)) };
}

/** Memory operands of a function, in linear order up to the end of the function. */
function memoryOperands(image: KernelImage, name: string): MemoryOperand[] {
  const code = bytesOfSymbol(image, name, MAX_FUNCTION);
  if (code === undefined) return [];
  const decoder = new Decoder(64, code.bytes, DecoderOptions.None);
  decoder.ip = toBigInt(vaLo(code.at), vaHi(code.at));
  const operands: MemoryOperand[] = [];
  while (decoder.canDecode) {
    const instruction = decoder.decode();
    const isStore = instruction.op0Kind === OpKind.Memory;
    if (isStore || instruction.op1Kind === OpKind.Memory) {
      operands.push({
        mnemonic: instruction.mnemonic,
        register: isStore ? instruction.op1Register : instruction.op0Register,
        isStore,
        base: instruction.memoryBase,
        isGs: instruction.segmentPrefix === Register.GS,
        address: Number(BigInt.asIntN(64, instruction.memoryDisplacement)),
      });
    }
    instruction.free();
  }
  decoder.free();
  return operands;
}

/** `thread.sp`: __switch_to_asm stores RSP in the old task (RDI) and loads that of the new one (RSI). */
export function threadSp(image: KernelImage): number | undefined {
  const operands = memoryOperands(image, '__switch_to_asm').filter(({ register }) => register === Register.RSP);
  const store = operands.find(({ isStore, base }) => isStore && base === Register.RDI);
  const load = operands.find(({ isStore, base }) => !isStore && base === Register.RSI);
  return store !== undefined && store.address === load?.address ? store.address : undefined;
}

/** The per-CPU word from which the entry of a system call loads RSP: the top of the running task's stack. */
export function topOfStack(image: KernelImage): number | undefined {
  const isLoad = ({ isGs, isStore, register }: MemoryOperand) => isGs && !isStore && register === Register.RSP;
  return memoryOperands(image, 'entry_SYSCALL_64').find(isLoad)?.address;
}

/** The per-CPU pointer to the interrupt stack: common_interrupt stores RSP where it points, and goes there. */
export function hardirqStackPointer(image: KernelImage): number | undefined {
  const operands = memoryOperands(image, 'common_interrupt');
  return operands.find(({ isGs, register }, i) => {
    const next = operands[i + 1];
    return isGs && next?.isStore && next.register === Register.RSP && next.base === register;
  })?.address;
}

/** The per-CPU bits of PCIDs to flush: only exits to user mode test a bit of a per-CPU word. */
export function userPcidFlushMask(image: KernelImage): number | undefined {
  const exits = ['entry_SYSCALL_64', 'entry_SYSCALL_64_after_hwframe', 'syscall_return_via_sysret'];
  return [
    ...exits,
    'entry_SYSRETQ_unsafe_stack',
    'common_interrupt_return',
    'swapgs_restore_regs_and_return_to_usermode',
  ]
    .flatMap((name) => memoryOperands(image, name))
    .find(({ isGs, mnemonic }) => isGs && mnemonic === Mnemonic.Bt)?.address;
}

/** The per-CPU pointer to the idle task: idle_task() answers what it loads from the run queue of a CPU. */
export function idle(image: KernelImage): number | undefined {
  const loads = memoryOperands(image, 'idle_task').filter(({ isStore, isGs }) => !isStore && !isGs);
  const last = loads.at(-1);
  const isMember = last?.register === Register.RAX && last.base !== Register.None && last.address >= 0;
  return isMember ? sum(image.symbols.find('runqueues'), last.address) : undefined;
}

/** Where in the object `name` a pointer to `target` stands, in bytes from its beginning. */
function pointerIn(image: KernelImage, name: string, target: number | undefined): number | undefined {
  return target === undefined ? undefined : wordIn(image, name, BigInt(target));
}

function wordIn(image: KernelImage, name: string, value: bigint): number | undefined {
  const object = bytesOfSymbol(image, name, MAX_OBJECT);
  if (object === undefined) return undefined;
  const { bytes } = object;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + 8 <= bytes.length; at += 8) if (view.getBigInt64(at, true) === value) return at;
  return undefined;
}

/** `stack` of task_struct: init_task's is init_stack. */
export function taskStack(image: KernelImage): number | undefined {
  const { symbols } = image;
  return pointerIn(image, 'init_task', symbols.find('init_stack') ?? symbols.find('init_thread_union'));
}

/** `mm` of task_struct: it stands before `active_mm`, which is init_mm in init_task, and is NULL there. */
export function taskMm(image: KernelImage): number | undefined {
  const active = pointerIn(image, 'init_task', image.symbols.find('init_mm'));
  if (active === undefined || active < 8) return undefined;
  const mm = image.bytesAt(image.symbols.address('init_task') + active - 8, 8);
  return mm?.every((byte) => byte === 0) ? active - 8 : undefined;
}

/** `pgd` of mm_struct: init_mm's is the kernel's own table. */
export function mmPgd(image: KernelImage): number | undefined {
  const { symbols } = image;
  return pointerIn(image, 'init_mm', symbols.find('init_top_pgt') ?? symbols.find('swapper_pg_dir'));
}

/** The per-CPU pointer to the running task: at first it is init_task. */
export function currentTask(image: KernelImage): number | undefined {
  const inHot = pointerIn(image, 'pcpu_hot', image.symbols.find('init_task'));
  return image.symbols.find('current_task') ?? sum(image.symbols.find('pcpu_hot'), inHot);
}

/** The per-CPU pointer to the mm whose tables are loaded: at first it is init_mm. */
export function loadedMm(image: KernelImage): number | undefined {
  const inState = pointerIn(image, 'cpu_tlbstate', image.symbols.find('init_mm'));
  return sum(image.symbols.find('cpu_tlbstate'), inState);
}

/** The per-CPU copy of CR4: at first all ones. */
export function cr4Shadow(image: KernelImage): number | undefined {
  return sum(image.symbols.find('cpu_tlbstate'), wordIn(image, 'cpu_tlbstate', -1n));
}

export function sum(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? undefined : a + b;
}
