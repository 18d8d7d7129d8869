/**
 * S16 nmi-is-kept: the NMI handler (the C function that the manifest names) is not entered a second time before the
 * first entry has returned; an NMI that hits no other reaches it before it returns; and an NMI that arrives while an
 * NMI context is open is followed by a run of the handler before the outermost of these contexts ends. (NMI blocking
 * itself, cleared by IRET alone, is hardware.)
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { RSP } from '../../emulator/registers';
import { NMI } from '../../model/kinds';
import { CTX_KIND, HANDLER_RSP_HI, HANDLER_RSP_LO, NMI_AGAIN, NMI_OWED } from '../ghost/ghost';
import type { Monitor } from '../monitor/monitor';
import { S16 } from './property';

/** Before the first instruction of the handler: rsp points at its return address. */
export function handlerIsNotReentered(m: Monitor, cpu: Cpu, g: number): void {
  const { words } = m.ghost;
  if ((words[g + HANDLER_RSP_LO] | words[g + HANDLER_RSP_HI]) !== 0)
    m.report(S16, cpu, 'expected the NMI handler to return before it is entered again, found a second entry');
  words[g + HANDLER_RSP_LO] = cpu.r[RSP] + 8;
  words[g + HANDLER_RSP_HI] = cpu.r[RSP + 1];
}

/** After a RET while the handler runs. */
export function handlerReturns(m: Monitor, cpu: Cpu, g: number): void {
  const { words } = m.ghost;
  if (cpu.r[RSP] !== words[g + HANDLER_RSP_LO] || cpu.r[RSP + 1] !== words[g + HANDLER_RSP_HI]) return;
  words[g + HANDLER_RSP_LO] = 0;
  words[g + HANDLER_RSP_HI] = 0;
}

/** Before the innermost context of thread t is closed by a return. */
export function nmiIsNotForgotten(m: Monitor, cpu: Cpu, g: number, t: number): void {
  const { words } = m.ghost;
  const depth = m.ghost.depth(t);
  if (m.view.manifest.nmiHandler === undefined) return;
  if ((words[g + NMI_AGAIN] | words[g + NMI_OWED]) === 0 || words[m.ghost.context(t, depth - 1) + CTX_KIND] !== NMI)
    return;
  for (let k = 0; k < depth - 1; k++) if (words[m.ghost.context(t, k) + CTX_KIND] === NMI) return;
  if (words[g + NMI_OWED] === 1)
    m.report(S16, cpu, 'expected the NMI to reach its handler, found its return before the handler had begun');
  words[g + NMI_OWED] = 0;
  if (words[g + NMI_AGAIN] === 0) return;
  m.report(
    S16,
    cpu,
    'expected another run of the NMI handler for the NMI that arrived meanwhile, found the return of the outermost NMI',
  );
}
