/** Why an instruction of entry code can be left out unseen, by what it is: what would have to be executed or asked. */

/** An instruction that was left out, and where it is. */
export interface LeftOut {
  /** AT&T text. */
  readonly text: string;
  /** The symbol at or below it. */
  readonly symbol: string;
}

interface MutantGroup {
  readonly name: string;
  /** What would kill it. */
  readonly wanted: string;
  fits(instruction: LeftOut): boolean;
}

const NMI_SYMBOL = /^(asm_exc_nmi|nested_nmi|nested_nmi_out|first_nmi|repeat_nmi|end_repeat_nmi|nmi_\w+)$/;
const RETURN_TO_USER = /^(syscall_return_via_sysret|swapgs_restore_regs_and_return_to_usermode)$/;
const RESTORES_CR3 = /^(end_repeat_nmi|paranoid_exit)$/;

/** The first one that fits counts. */
const GROUPS: readonly MutantGroup[] = [
  {
    name: 'the selector of GS',
    wanted: 'somebody who reads the selector of GS in user mode: the base is asked for, the selector is not',
    fits: ({ symbol, text }) => symbol === 'asm_load_gs_index' && /^(mov|xor) /.test(text),
  },
  {
    name: 'clearing of registers',
    wanted:
      'a value of user mode in the register: on this way it has one of the kernel, or gets another one before C code runs',
    fits: ({ text }) => /^xor %(\w+),%\1$/.test(text),
  },
  {
    name: 'buffers and speculation',
    wanted: 'a processor with speculation; VERW and IBRS are asked for where --cpu md-clear,ibrs has them on',
    fits: ({ text, symbol }) =>
      /^(verw|lfence|wrmsr|clflush|int3)\b/.test(text) || (symbol === '__switch_to_asm' && text.startsWith('j')),
  },
  {
    name: 'flags',
    wanted:
      'user mode that has set the flag, on a way that ends in a string instruction or in an access to user memory',
    fits: ({ text }) => /^(cld|std|clac|stac|sti|cli)$/.test(text),
  },
  {
    name: 'bits that keep the TLB',
    wanted: 'nothing: without them the TLB forgets more than it has to, or CR3 is written with what it holds',
    fits: ({ text, symbol }) =>
      /^bts \$0x3f,/.test(text) ||
      (RETURN_TO_USER.test(symbol) && /^(btr|jae) /.test(text)) ||
      (symbol === 'paranoid_entry' && text.startsWith('jae ')),
  },
  {
    name: 'a flush that is owed behind an NMI or a #DB',
    wanted:
      'a user table that changes while the event is handled, or a flush that is owed when the event comes and is missed at the next return to user mode; without the second JAE the TLB forgets more than it has to',
    fits: ({ text, symbol }) => RESTORES_CR3.test(symbol) && /^(bt|jae|mov %r14,)/.test(text),
  },
  {
    name: 'the NMI stack in the RSP of user mode',
    wanted:
      'an NMI right behind a SYSCALL with RSP in the NMI stack: for any other one test makes up for the next, and DF for both',
    fits: ({ text, symbol }) => symbol === 'asm_exc_nmi' && /^(cmp|ja|jb|je|testb)/.test(text),
  },
  {
    name: 'protocol of nested NMIs',
    wanted: 'somebody who reads what is written here: the C function of NMIs has one argument',
    fits: ({ symbol }) => NMI_SYMBOL.test(symbol),
  },
  {
    name: 'tests before SYSRET',
    wanted:
      'a question about RF, and about when a single step begins; the others repeat another test, or lead to IRET, which is right and slow',
    fits: ({ text, symbol }) =>
      symbol === 'entry_SYSCALL_64_after_hwframe' && /^(cmp|j|test|shl|sar|mov 0x\w+\(%rsp\),%(rcx|r11)$)/.test(text),
  },
  {
    name: 'INT3 of the kernel',
    wanted: 'a kernel that patches its own code, and emulates a call there: it needs room above the frame',
    fits: ({ text, symbol }) => symbol === 'asm_exc_int3' && /^(testb|jne) /.test(text),
  },
  {
    name: 'other processors',
    wanted:
      'a processor whose IRET reports 32 bits of a RIP (K8), one of another node than 0, or a hypervisor that patches the jump',
    fits: ({ text, symbol }) =>
      (symbol === 'error_entry' && /^(mov %ecx,%eax$|cmp %rax,|je )/.test(text)) ||
      (symbol === 'paranoid_entry' && text.startsWith('and $0xfff,')) ||
      symbol === 'early_xen_iret_patch',
  },
  {
    name: 'calls of C functions',
    wanted: 'something that depends on what the function does',
    fits: ({ text }) => text.startsWith('call'),
  },
  {
    name: 'branches and tests',
    wanted: 'a case in which the other way is wrong',
    fits: ({ text }) => /^(j|cmp|test|bt)/.test(text),
  },
  {
    name: 'anything else',
    wanted: 'somebody who reads what it writes',
    fits: () => true,
  },
];

interface GroupOfSurvivors<Survivor> {
  readonly name: string;
  readonly wanted: string;
  readonly survivors: readonly Survivor[];
}

/** The survivors by what they are; groups without any are left out. */
export function survivorGroups<Survivor extends LeftOut>(survivors: readonly Survivor[]): GroupOfSurvivors<Survivor>[] {
  return GROUPS.flatMap((group) => {
    const { name, wanted } = group;
    const own = survivors.filter((survivor) => GROUPS.find(({ fits }) => fits(survivor)) === group);
    return own.length === 0 ? [] : [{ name, wanted, survivors: own }];
  });
}
