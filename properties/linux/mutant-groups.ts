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
const SYSRET_SYMBOL = /^(entry_SYSCALL_64_after_hwframe|syscall_return_via_sysret)$/;

/** The first one that fits counts. */
const GROUPS: readonly MutantGroup[] = [
  {
    name: 'clearing of registers',
    wanted:
      'an entry from user mode with another value in the register: after an entry from the kernel nobody promises it',
    fits: ({ text }) => /^xor %(\w+),%\1$/.test(text),
  },
  {
    name: 'buffers and speculation',
    wanted: 'a processor with speculation; VERW and IBRS are asked for where --cpu md-clear,ibrs has them on',
    fits: ({ text }) => /^(verw|lfence|wrmsr|clflush|int3)\b/.test(text),
  },
  {
    name: 'flags',
    wanted:
      'user mode that has set the flag, on a way that ends in a string instruction or in an access to user memory',
    fits: ({ text }) => /^(cld|std|clac|stac|sti|cli)$/.test(text),
  },
  {
    name: 'protocol of nested NMIs',
    wanted: 'a second NMI while the first one has unblocked NMIs by an IRET',
    fits: ({ symbol }) => NMI_SYMBOL.test(symbol),
  },
  {
    name: 'tests before SYSRET',
    wanted: 'a frame that SYSRET cannot return to, on the way of this test alone',
    fits: ({ text, symbol }) => SYSRET_SYMBOL.test(symbol) && /^(cmp|j|test|shl|sar)/.test(text),
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
