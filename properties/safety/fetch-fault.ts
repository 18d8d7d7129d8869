/** What S1, S5 and L1 ask alike of a fault: which of them judges a fetch that the user half does not map. */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Fault } from '../../emulator/observer';
import { CPL, VEC_PF } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { USER_HALF } from '../ghost/ghost';
import type { Scene } from './scene';

/** A #PF of the fetch of an instruction, at CPL0 or by a return from it, on the user half. */
export function isFetchFault(scene: Scene, cpu: Cpu, fault: Fault): boolean {
  if (fault.vector !== VEC_PF || fault.access !== 'execute' || fault.implicit) return false;
  if (cpu.r[CPL] === 3 && !scene.inDelivery) return false;
  return scene.ghost.words[scene.ghost.cpu(cpu.index) + USER_HALF] === 1;
}

/** S5 or L1 judge it: the code is instrumentable (.text), or it is the panic. */
export function isJudgedAsFetch(scene: Scene, cpu: Cpu, fault: Fault): boolean {
  if (!isFetchFault(scene, cpu, fault)) return false;
  const va = toVa(fault.addressLo, fault.addressHi);
  return scene.view.isPanic(va) || (cpu.r[CPL] === 0 && scene.view.isText(va));
}
