/**
 * S16 nmi-is-kept: the NMI handler (the C function that the manifest names) is not entered a second time before the
 * first entry has returned; an NMI that hits no other reaches it before it returns; and an NMI that arrives while an
 * NMI context is open is followed by a run of the handler before the outermost of these contexts ends. (NMI blocking
 * itself, cleared by IRET alone, is hardware.)
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { RSP } from '../../emulator/registers';
import { NMI } from '../../model/kinds';
import { CTX_FROM_USER, CTX_KIND, HANDLER_RSP_HI, HANDLER_RSP_LO, NMI_AGAIN, NMI_OWED } from '../ghost/ghost';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

/** Before the first instruction of the handler: rsp points at its return address. */
function handlerIsNotReentered(scene: Scene, cpu: Cpu): Answer {
  const { words } = scene.ghost;
  const g = scene.ghost.cpu(cpu.index);
  const running = (words[g + HANDLER_RSP_LO] | words[g + HANDLER_RSP_HI]) !== 0;
  if (running && !(scene.view.nmiHandlerLatches && runsForUserMode(scene, cpu)))
    return 'expected the NMI handler to return before it is entered again, found a second entry';
  words[g + HANDLER_RSP_LO] = cpu.r[RSP] + 8;
  words[g + HANDLER_RSP_HI] = cpu.r[RSP + 1];
  return undefined;
}

/** The outermost NMI context is one that hit user mode. */
function runsForUserMode(scene: Scene, cpu: Cpu): boolean {
  const { words } = scene.ghost;
  const t = scene.ghost.running(cpu.index);
  for (let k = 0; k < scene.ghost.depth(t); k++) {
    const at = scene.ghost.context(t, k);
    if (words[at + CTX_KIND] === NMI) return words[at + CTX_FROM_USER] === 1;
  }
  return false;
}

/** After a RET while the handler runs. */
function handlerReturns(scene: Scene, cpu: Cpu): Answer {
  const { words } = scene.ghost;
  const g = scene.ghost.cpu(cpu.index);
  if (cpu.r[RSP] !== words[g + HANDLER_RSP_LO] || cpu.r[RSP + 1] !== words[g + HANDLER_RSP_HI]) return undefined;
  words[g + HANDLER_RSP_LO] = 0;
  words[g + HANDLER_RSP_HI] = 0;
  return undefined;
}

/** Before the innermost context of thread t is closed by a return. */
function nmiIsNotForgotten(scene: Scene, cpu: Cpu): Answer {
  const { words } = scene.ghost;
  const g = scene.ghost.cpu(cpu.index);
  const t = scene.ghost.running(cpu.index);
  const depth = scene.ghost.depth(t);
  if (scene.view.manifest.nmiHandler === undefined) return undefined;
  if ((words[g + NMI_AGAIN] | words[g + NMI_OWED]) === 0 || words[scene.ghost.context(t, depth - 1) + CTX_KIND] !== NMI)
    return undefined;
  for (let k = 0; k < depth - 1; k++) if (words[scene.ghost.context(t, k) + CTX_KIND] === NMI) return undefined;
  if (words[g + NMI_OWED] === 1)
    return 'expected the NMI to reach its handler, found its return before the handler had begun';
  words[g + NMI_OWED] = 0;
  if (words[g + NMI_AGAIN] === 0) return undefined;
  return 'expected another run of the NMI handler for the NMI that arrived meanwhile, found the return of the outermost NMI';
}

export const NMI_IS_KEPT: BuiltInProperty = {
  number: 16,
  slug: 'nmi-is-kept',
  promise: 'No NMI is lost, and the NMI handler is not entered again before it has returned.',
  violated: 'An NMI was lost or its handler re-entered: nested NMIs are not handled.',
  definition:
    'the NMI handler is not entered again before it has returned; an NMI that hits no other one reaches it before it returns; an NMI that was delivered while another NMI context was open is followed by the begin of a handler run before the outermost NMI context ends',
  model: 'requires: the return of the outermost NMI',
  mutant: 'mainline+nested-nmi-ignored',
  needs: [{ symbol: 'manifest.nmi_handler' }],
  moments: {
    nmiHandlerReached: handlerIsNotReentered,
    functionReturned: handlerReturns,
    returned: nmiIsNotForgotten,
  },
};
