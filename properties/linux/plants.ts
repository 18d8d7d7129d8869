/**
 * Mistakes that are planted into the entry code of a booted kernel, by name: instructions that are left out. Each is
 * one that somebody could make. They are found by symbol and by what is written there, so that they fit any kernel
 * whose entry code is built like that of Linux 6.1 to 6.12.
 */
import type { ListedInstruction } from '../../emulator/disassemble';
import { BadInputError } from '../bad-input';
import type { KernelText } from './kernel-text';

export interface Plant {
  readonly name: string;
  /** What the kernel does then, for people. */
  readonly what: string;
  /** Symbols, and which instructions behind each are left out. */
  readonly places: readonly Place[];
}

interface Place {
  readonly symbol: string;
  readonly instruction: RegExp;
  /** Only behind the first instruction that fits this. */
  readonly after?: RegExp;
  /** Only the first one that fits, or all but that; all that fit where it is left out. */
  readonly only?: 'first' | 'later';
}

const RETURN_TO_USER = 'swapgs_restore_regs_and_return_to_usermode';
const SYSTEM_CALL = 'entry_SYSCALL_64';
/** Behind it the registers of a system call are saved, and cleared. */
const SAVE_REGISTERS = 'entry_SYSCALL_64_after_hwframe';
const SYSRET_PATH = 'syscall_return_via_sysret';

const WRITE_CR3 = /^mov %\w+,%cr3$/;
const SWAPGS = /^swapgs$/;
const CLEAR_REGISTER = /^xor %(\w+),%\1$/;
const STAY = /^mov %rax,%rsp$/;
/** The flush mask has said that a flush is owed, and its bit is cleared: then CR3 is written so that it flushes. */
const FLUSH_IS_OWED = /^btr /;

export const PLANTS: readonly Plant[] = [
  {
    name: 'stay-on-entry-stack',
    what: "a page fault and a timer interrupt from user mode run C code on the CPU's entry stack",
    places: [
      { symbol: 'asm_exc_page_fault', instruction: STAY },
      { symbol: 'asm_sysvec_apic_timer_interrupt', instruction: STAY },
    ],
  },
  {
    name: 'no-cr3-switch',
    what: 'SYSCALL goes on with the user page table',
    places: [{ symbol: SYSTEM_CALL, instruction: WRITE_CR3 }],
  },
  {
    name: 'no-cr3-switch-of-faults',
    what: 'exceptions and interrupts from user mode go on with the user page table',
    places: [{ symbol: 'error_entry', instruction: WRITE_CR3, only: 'first' }],
  },
  {
    name: 'no-cr3-switch-of-nmi',
    what: 'an NMI, a #DB or an #MC that finds the user page table in entry code goes on with it',
    places: [{ symbol: 'paranoid_entry', instruction: WRITE_CR3 }],
  },
  {
    name: 'no-swapgs-of-nmi',
    what: 'an NMI, a #DB or an #MC that finds the GS base of user mode in entry code goes on with it',
    places: [{ symbol: 'paranoid_entry', instruction: /^(swapgs|wrgsbase %rax)$/ }],
  },
  {
    name: 'no-cr3-restore',
    what: 'an NMI in entry code does not put back the page table that it found',
    places: [{ symbol: 'end_repeat_nmi', instruction: WRITE_CR3 }],
  },
  {
    name: 'no-user-cr3',
    what: 'returns to user mode, by SYSRET and by IRET, leave the kernel page table loaded',
    places: [
      { symbol: RETURN_TO_USER, instruction: WRITE_CR3 },
      { symbol: SYSRET_PATH, instruction: WRITE_CR3 },
    ],
  },
  {
    name: 'no-swapgs',
    what: 'SYSCALL goes on with the GS base of user mode',
    places: [{ symbol: SYSTEM_CALL, instruction: SWAPGS }],
  },
  {
    name: 'no-swapgs-of-faults',
    what: 'exceptions and interrupts from user mode go on with the GS base of user mode',
    places: [{ symbol: 'error_entry', instruction: SWAPGS, only: 'first' }],
  },
  {
    name: 'no-swapgs-of-iret-fault',
    what: 'a fault of IRET to user mode goes on with the GS base of user mode',
    places: [{ symbol: 'error_entry', instruction: SWAPGS, only: 'later' }],
  },
  {
    name: 'no-user-gs',
    what: 'SYSRET leaves the GS base of the kernel loaded',
    places: [{ symbol: 'entry_SYSRETQ_unsafe_stack', instruction: SWAPGS }],
  },
  {
    name: 'no-kernel-stack',
    what: 'SYSCALL goes on with the stack of user mode',
    places: [{ symbol: SYSTEM_CALL, instruction: /^mov %gs:.*,%rsp$/ }],
  },
  {
    name: 'stay-on-nmi-stack',
    what: 'an NMI from user mode runs its handler on the IST stack, without the protocol of nested NMIs',
    places: [{ symbol: 'asm_exc_nmi', instruction: /^mov %gs:.*,%rsp$/ }],
  },
  {
    name: 'stay-on-machine-check-stack',
    what: 'a machine check from user mode runs C code on the IST stack, where the next one begins',
    places: [{ symbol: 'asm_exc_machine_check', instruction: STAY }],
  },
  {
    name: 'no-trampoline-stack',
    what: 'a return to user mode switches to the user page table while it is on the kernel stack',
    places: [{ symbol: RETURN_TO_USER, instruction: /^mov %gs:.*,%rsp$/ }],
  },
  {
    name: 'no-saved-rsp',
    what: 'a task that is scheduled out does not save its stack pointer',
    places: [{ symbol: '__switch_to_asm', instruction: /^mov %rsp,0x\w+\(%rdi\)$/ }],
  },
  {
    name: 'no-clear-registers',
    what: "a system call leaves user mode's values in the registers that it has saved",
    places: [{ symbol: SAVE_REGISTERS, instruction: CLEAR_REGISTER }],
  },
  {
    name: 'no-cld',
    what: "exceptions and interrupts leave user mode's direction flag as it is",
    places: [
      { symbol: 'asm_exc_page_fault', instruction: /^cld$/ },
      { symbol: 'asm_sysvec_apic_timer_interrupt', instruction: /^cld$/ },
    ],
  },
  {
    name: 'no-clac',
    what: "exceptions and interrupts leave user mode's alignment-check flag, which turns SMAP off, as it is",
    places: [
      { symbol: 'asm_exc_page_fault', instruction: /^clac$/ },
      { symbol: 'asm_sysvec_apic_timer_interrupt', instruction: /^clac$/ },
    ],
  },
  {
    name: 'no-verw',
    what: "returns to user mode leave the kernel's data in the CPU's buffers",
    places: [
      { symbol: RETURN_TO_USER, instruction: /^verw / },
      { symbol: 'entry_SYSRETQ_unsafe_stack', instruction: /^verw / },
    ],
  },
  {
    name: 'no-flush-of-user-table',
    what: 'returns to user mode keep what the TLB has of a user page table that has changed',
    places: [
      { symbol: RETURN_TO_USER, instruction: /^jmp /, after: FLUSH_IS_OWED, only: 'first' },
      { symbol: SYSRET_PATH, instruction: /^jmp /, after: FLUSH_IS_OWED, only: 'first' },
    ],
  },
];

/**
 * A plant by its name.
 * @throws BadInputError if there is none
 */
export function knownPlant(name: string): Plant {
  const found = PLANTS.find((plant) => plant.name === name);
  if (found !== undefined) return found;
  throw new BadInputError(
    `expected a plant, one of ${PLANTS.map((plant) => plant.name).join(', ')}, found ${JSON.stringify(name)}`,
  );
}

/**
 * The instructions that a plant leaves out in this kernel.
 * @throws BadInputError if one of its places is not there: other entry code, or a feature that this boot has not on
 */
export function plantedIn(text: KernelText, plant: Plant): ListedInstruction[] {
  return plant.places.flatMap(({ symbol, instruction, after, only }) => {
    const code = text.behind(symbol);
    if (code === undefined)
      throw new BadInputError(`--plant ${plant.name}: expected the symbol ${symbol}, found none in this kernel`);
    const from = after === undefined ? 0 : code.findIndex((listed) => after.test(listed.text)) + 1;
    const found = code.slice(from).filter((listed) => instruction.test(listed.text));
    if (found.length === 0)
      throw new BadInputError(
        `--plant ${plant.name}: expected an instruction like ${instruction.source} behind ${symbol}, found none in this kernel with these features`,
      );
    if (only === undefined) return found;
    return only === 'first' ? found.slice(0, 1) : found.slice(1);
  });
}

/** Plants a mistake, and says which instructions that were. */
export function plantInto(text: KernelText, plant: Plant): ListedInstruction[] {
  const left = plantedIn(text, plant);
  for (const instruction of left) text.leaveOut(instruction.va, instruction.bytes.length);
  return left;
}
