/**
 * From where an event interrupts a CPU to where that CPU is back: there everything has to be as it was. An NMI has to
 * come back soon, and has to have been handled; a machine check has to be over, because the next one would be a
 * shutdown. A maskable interrupt may lead to another task; what it interrupted is given some time to come back, on
 * whichever CPU, and is otherwise said to be away.
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { X_MCG_STATUS } from '../../emulator/extended-state';
import { NMI_BLOCKED, RIP, RSP } from '../../emulator/registers';
import { MCIP } from '../../emulator/system/machine-check';
import { differenceOf, registersOf, type SavedRegisters, staysOnCpu } from './interrupted-registers';
import { type KernelSystem, NEVER } from './kernel-system';

/** Boundaries until an NMI, or a debug exception or a machine check of the kernel, must be over. */
const LIMIT = 20_000;
/** Boundaries of an interrupt on its own CPU; after them the other CPUs go on, too. */
const ALONE = 4_000;
/** Boundaries of all CPUs in which what was interrupted may come back. */
const TOGETHER = 40_000;

export interface Interruption {
  readonly event: 'NMI' | 'interrupt' | 'debug exception' | 'machine check';
  readonly before: SavedRegisters;
}

export function interruptionOf(event: Interruption['event'], cpu: Cpu): Interruption {
  return { event, before: registersOf(cpu) };
}

/** Answers whether the CPU is back. `nmiBody` is the address of the C function of NMIs. */
export function comeBack(system: KernelSystem, c: number, { event, before }: Interruption, nmiBody: number): boolean {
  return staysOnCpu(event, before)
    ? sameComesBack(system, c, event, before, nmiBody)
    : otherComesBack(system, c, event, before);
}

function sameComesBack(
  system: KernelSystem,
  c: number,
  event: Interruption['event'],
  before: SavedRegisters,
  nmiBody: number,
): boolean {
  let bodies = 0;
  const isBack = (cpu: Cpu) => {
    if (cpu.rip() === nmiBody) bodies++;
    return cpu.r[NMI_BLOCKED] === 0 && isAt(cpu, before);
  };
  const taken = system.runUntil(c, isBack, LIMIT);
  if (system.violation !== undefined) return false;
  if (taken === NEVER) system.fail('event-returns', `the ${event} does not come back within ${LIMIT} instructions`);
  else if (event === 'NMI' && bodies === 0)
    system.fail('nmi-is-handled', 'the NMI comes back, and its handler did not run');
  else compare(system, system.linux.machine.cpus[c], before, event);
  return taken !== NEVER;
}

function otherComesBack(
  system: KernelSystem,
  c: number,
  event: Interruption['event'],
  before: SavedRegisters,
): boolean {
  const { cpus } = system.linux.machine;
  let back: Cpu | undefined = cpus[c];
  if (system.runUntil(c, (cpu) => isAt(cpu, before), ALONE) === NEVER) {
    back = cpus.find((cpu) => isAt(cpu, before));
    for (let i = 0; i < TOGETHER && back === undefined && system.violation === undefined; i++) {
      system.step();
      back = cpus.find((cpu) => isAt(cpu, before));
    }
  }
  if (back === undefined || system.violation !== undefined) return false;
  compare(system, back, before, event);
  return true;
}

function compare(system: KernelSystem, cpu: Cpu, before: SavedRegisters, event: Interruption['event']): void {
  if (event === 'machine check' && (cpu.x[X_MCG_STATUS] & MCIP) !== 0)
    system.fail('resume-is-exact', 'the machine check comes back with IA32_MCG_STATUS.MCIP set, expected 0');
  const difference = differenceOf(event, before, cpu);
  if (difference !== undefined) system.fail('resume-is-exact', `the ${event} comes back with ${difference}`);
}

function isAt({ r }: Cpu, { r: before }: SavedRegisters): boolean {
  return (
    r[RIP] === before[RIP] && r[RSP] === before[RSP] && r[RIP + 1] === before[RIP + 1] && r[RSP + 1] === before[RSP + 1]
  );
}
