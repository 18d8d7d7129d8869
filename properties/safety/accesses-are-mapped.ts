/**
 * S1 accesses-are-mapped: every fetch, data access and implicit access (gate, descriptor, TSS, frame) made at CPL0, or
 * at the CPL0 that a delivery is about to reach, translates with permission under the current CR3, unless the
 * instruction has an exception-table entry or is an IRETQ to user mode.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import type { Fault } from '../../emulator/observer';
import { CPL, RIP, VEC_PF } from '../../emulator/registers';
import { hexVa, toVa } from '../../emulator/words';
import { isJudgedAsFetch } from './fetch-fault';
import type { Answer, BuiltInProperty } from './property';
import type { Scene } from './scene';

function accessIsMapped(scene: Scene, cpu: Cpu, fault: Fault): Answer {
  if (fault.vector !== VEC_PF) return undefined;
  if (cpu.r[CPL] === 3 && !fault.implicit && !scene.inDelivery) return undefined;
  if (scene.inDelivery && scene.view.doubleFaultsByDesign(cpu)) return undefined;
  const rip = toVa(cpu.r[RIP], cpu.r[RIP + 1]);
  if (
    !scene.inDelivery &&
    !fault.implicit &&
    (scene.view.manifest.exceptionTable.has(rip) || scene.mayFaultAtIret(cpu))
  )
    return undefined;
  if (isJudgedAsFetch(scene, cpu, fault)) return undefined;
  const what =
    fault.implicit || scene.inDelivery
      ? 'implicit access'
      : fault.access === 'execute'
        ? 'fetch'
        : `data ${fault.access}`;
  const address = hexVa(toVa(fault.addressLo, fault.addressHi));
  return `expected every access at CPL0 to be mapped, the ${what} of ${address} raised #PF with error code ${fault.error}`;
}

export const ACCESSES_ARE_MAPPED: BuiltInProperty = {
  number: 1,
  slug: 'accesses-are-mapped',
  promise: "Every fetch and access at CPL0, the processor's own included, is mapped with the rights that it needs.",
  violated:
    'The kernel touched something that the page table in CR3 does not map: on hardware an oops, or a #DF and a reset.',
  definition:
    'A fetch, data access or implicit access (gate, descriptor, TSS, frame push) made at CPL0, or at the CPL0 that a delivery is about to reach, raises no #PF; unless the instruction is in the exception table, or is a `manifest.iret.*`',
  model: 'requires: the first fetch of a body',
  mutant: 'mainline+no-cr3-switch-on-nmi-entry',
  needs: [{ symbol: 'manifest.iret.NAME', part: 'a #PF of any IRET to user mode' }],
  moments: { faulted: accessIsMapped },
};
