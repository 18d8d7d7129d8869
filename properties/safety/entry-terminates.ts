/**
 * L1 entry-terminates (bounded): every entry reaches user mode, a context switch, another event or a choice of its own
 * within 4096 instructions, and never the guest's panic.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR3, GS_BASE, ICOUNT, IDTR_BASE, RIP } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { CTX_CR2_HI, CTX_CR2_LO, CTX_ERROR, CTX_FAULT, CTX_REGISTERS, PROGRESS_AT } from '../ghost/ghost';
import { gateHandler } from '../guest/external-vectors';
import { faultInWords, pageFaultDetails, type RaisedFault } from '../guest/fault-in-words';
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

/**
 * The faults whose handlers run: from the innermost context outwards, as long as faults opened them. An NMI or an
 * interrupt in between has its own story, and a context that has ended or was rolled back is not there to be named.
 */
function afterFault(m: Monitor, cpu: Cpu, t: number): string {
  const told: string[] = [];
  for (let k = m.ghost.depth(t) - 1; k >= 0; k--) {
    const at = m.ghost.context(t, k);
    if (m.ghost.words[at + CTX_FAULT] === 0) break;
    const fault = faultOf(m, cpu, at);
    const { image, machine } = m.view;
    told.push([faultInWords(image, machine, fault), ...pageFaultDetails(machine, m.view, fault)].join('; '));
  }
  return told.length === 0 ? '' : ` after ${told.join('; in the handler of ')}`;
}

function faultOf(m: Monitor, cpu: Cpu, at: number): RaisedFault {
  const { words } = m.ghost;
  const register = (i: number) => toVa(words[at + CTX_REGISTERS + i], words[at + CTX_REGISTERS + i + 1]);
  const vector = words[at + CTX_FAULT] - 1;
  return {
    vector,
    error: words[at + CTX_ERROR],
    rip: register(RIP),
    address: toVa(words[at + CTX_CR2_LO], words[at + CTX_CR2_HI]),
    cr3: words[at + CTX_REGISTERS + CR3],
    gsBase: register(GS_BASE),
    nested: false,
    handler: gateOf(m, cpu, vector),
  };
}

/** Where the IDT sends a vector. */
function gateOf(m: Monitor, cpu: Cpu, vector: number): number | undefined {
  const base = toVa(cpu.r[IDTR_BASE], cpu.r[IDTR_BASE + 1]);
  return gateHandler(m.view.machine, m.view.kernelRoot(0), base, vector);
}
