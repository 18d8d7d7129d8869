/**
 * L1 entry-terminates (bounded): every entry reaches user mode, a context switch, another event or a choice of its own
 * within 4096 instructions, and never the guest's panic.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR3, GS_BASE, ICOUNT, IDTR_BASE, RIP } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { GP, PF } from '../../model/kinds';
import { gateHandler } from '../guest/external-vectors';
import { faultInWords, pageFaultDetails } from '../guest/fault-in-words';
import { NO_SNAPSHOT } from '../monitor/contexts';
import { CTX_CR2_HI, CTX_CR2_LO, CTX_ERROR, CTX_KIND, CTX_REGISTERS, CTX_VECTOR, PROGRESS_AT } from '../monitor/ghost';
import type { Monitor } from '../monitor/monitor';
import { L1 } from './property';

const LIMIT = 4096;

/** After a branch at CPL0: a path that is too long has one. */
export function entryTerminates(m: Monitor, cpu: Cpu, g: number): void {
  if (((cpu.r[ICOUNT] - m.ghost.words[g + PROGRESS_AT]) | 0) > LIMIT)
    m.report(L1, cpu, `expected user mode, a context switch or another event within ${LIMIT} instructions, found none`);
}

/** Before the first instruction of the guest's panic; `t` is the thread that runs. */
export function panicIsNotReached(m: Monitor, cpu: Cpu, t: number): void {
  m.report(L1, cpu, `expected the entry to return, found the panic of the guest${afterFault(m, cpu, t)}`);
}

/** The innermost exception of the thread from which no handler has returned, as the ghosts remember it. */
function afterFault(m: Monitor, cpu: Cpu, t: number): string {
  const { words } = m.ghost;
  for (let k = m.ghost.depth(t) - 1; k >= 0; k--) {
    const at = m.ghost.context(t, k);
    const vector = words[at + CTX_VECTOR];
    if (words[at + CTX_KIND] !== PF && words[at + CTX_KIND] !== GP) continue;
    if (vector === NO_SNAPSHOT) return ' after the fault of an IRET to user mode';
    const register = (i: number) => toVa(words[at + CTX_REGISTERS + i], words[at + CTX_REGISTERS + i + 1]);
    const fault = {
      vector,
      error: words[at + CTX_ERROR],
      rip: register(RIP),
      address: toVa(words[at + CTX_CR2_LO], words[at + CTX_CR2_HI]),
      cr3: words[at + CTX_REGISTERS + CR3],
      gsBase: register(GS_BASE),
      handler: gateOf(m, cpu, vector),
    };
    const { image, machine } = m.view;
    return [` after ${faultInWords(image, machine, fault)}`, ...pageFaultDetails(machine, fault)].join('; ');
  }
  return '';
}

/** Where the IDT sends a vector. */
function gateOf(m: Monitor, cpu: Cpu, vector: number): number | undefined {
  const base = toVa(cpu.r[IDTR_BASE], cpu.r[IDTR_BASE + 1]);
  return gateHandler(m.view.machine, m.view.kernelRoot(0), base, vector);
}
