/**
 * L1 entry-terminates (bounded): every entry reaches user mode, a context switch, another event or a choice of its own
 * within 4096 instructions, and never the guest's panic.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Fault } from '../../emulator/observer';
import { CR3, GS_BASE, IDTR_BASE, RIP } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { CTX_CR2_HI, CTX_CR2_LO, CTX_ERROR, CTX_FAULT, CTX_REGISTERS } from '../ghost/ghost';
import { gateHandler } from '../guest/external-vectors';
import { faultInWords, pageFaultDetails, type RaisedFault } from '../guest/fault-in-words';
import { isFetchFault } from './fetch-fault';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** After a branch at CPL0: a path that is too long has one. */
function entryTerminates({ view }: Scene): Answer {
  return `expected user mode, a context switch or another event within ${view.entryLimit} instructions, found none`;
}

/** Before the first instruction of the guest's panic. */
function panicIsNotReached(scene: Scene, cpu: Cpu): Answer {
  const t = scene.ghost.running(cpu.index);
  return `expected the entry to return, found the panic of the guest${afterFault(scene, cpu, t)}`;
}

/** The user half need not map the panic. What led there is the cause all the same. */
function panicIsNotFetched(scene: Scene, cpu: Cpu, fault: Fault): Answer {
  if (!isFetchFault(scene, cpu, fault) || !scene.view.isPanic(toVa(fault.addressLo, fault.addressHi))) return undefined;
  return panicIsNotReached(scene, cpu);
}

/**
 * The faults whose handlers run: from the innermost context outwards, as long as faults opened them. An NMI or an
 * interrupt in between has its own story, and a context that has ended or was rolled back is not there to be named.
 */
function afterFault(scene: Scene, cpu: Cpu, t: number): string {
  const told: string[] = [];
  for (let k = scene.ghost.depth(t) - 1; k >= 0; k--) {
    const at = scene.ghost.context(t, k);
    if (scene.ghost.words[at + CTX_FAULT] === 0) break;
    const fault = faultOf(scene, cpu, at);
    const { image, machine } = scene.view;
    told.push([faultInWords(image, machine, fault), ...pageFaultDetails(machine, scene.view, fault)].join('; '));
  }
  return told.length === 0 ? '' : ` after ${told.join('; in the handler of ')}`;
}

function faultOf(scene: Scene, cpu: Cpu, at: number): RaisedFault {
  const { words } = scene.ghost;
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
    handler: gateOf(scene, cpu, vector),
  };
}

/** Where the IDT sends a vector. */
function gateOf(scene: Scene, cpu: Cpu, vector: number): number | undefined {
  const base = toVa(cpu.r[IDTR_BASE], cpu.r[IDTR_BASE + 1]);
  return gateHandler(scene.view.machine, scene.view.kernelTable, base, vector);
}

export const ENTRY_TERMINATES: BuiltInProperty = {
  number: 101,
  slug: 'entry-terminates',
  promise: 'Every entry returns, switches, or asks for something within 4096 instructions, and never panics.',
  violated: 'The kernel does not get out of an entry: a hang or a panic.',
  definition:
    'user mode, a context switch, an event or a choice within 4096 instructions at CPL0; the panic symbol is never reached; no CPU with IF=0 repeats its state and reads nothing meanwhile, or while no other CPU can help: all others are in user mode or halted, and no event is pending that takes one into the kernel',
  model: '- (`no-deadlock`: every state has a successor)',
  mutant: 'mainline+nmi-handler-loops',
  alsoJudged: 'by the runner, when a CPU repeats its state',
  needs: [{ symbol: 'manifest.panic', part: 'the panic' }],
  moments: { entryIsLong: entryTerminates, panicReached: panicIsNotReached, faulted: panicIsNotFetched },
};
