/**
 * The events of a trace of a booted kernel: what `counterexamples/kernel-case.ts` says of each, done to the machine.
 */
import type { KernelAction } from '../../counterexamples/kernel-case';
import { W_WAITING } from '../../emulator/linux/platform/linux-platform';
import { DB_PENDING, DR6, EFLAGS, FLAG_IF, MC_PENDING, NMI_BLOCKED, NMI_PENDING } from '../../emulator/registers';
import { expireDeadlines, nextDeadline } from '../../emulator/system/apic-timer';
import { mayBeChecked } from './expected-exceptions';
import { type Interruption, interruptionOf } from './interruption';
import { type KernelSystem, NEVER } from './kernel-system';

/** Boundaries until an event that is not blocked must have been taken. */
const MOST_TO_TAKE = 8;
/** Boundaries from an NMI to its C function. */
const MOST_TO_BODY = 2_000;
/** DR6: breakpoint 0 was hit (SDM vol. 3, 17.2.3). */
const DR6_B0 = 1;

type EventAction = Extract<KernelAction, { action: 'nmi' | 'irq' | 'unblock' | 'time' | 'debug' | 'machine-check' }>;

/** Lets an event happen. Answers how many boundaries that took. */
export function happen(system: KernelSystem, action: EventAction): number {
  switch (action.action) {
    case 'nmi':
      return nmi(system, action.cpu);
    case 'irq':
      return irq(system, action.cpu, action.vector);
    case 'unblock':
      return unblock(system, action.cpu, action.count);
    case 'debug':
      return debug(system, action.cpu);
    case 'machine-check':
      return machineCheck(system, action.cpu);
    case 'time':
      timeGoesOn(system);
      return 0;
  }
}

function nmi(system: KernelSystem, c: number): number {
  const { machine } = system.linux;
  const { r } = machine.cpus[c];
  machine.raiseNmi(c);
  return r[NMI_BLOCKED] !== 0 ? 0 : untilTaken(system, c, 'NMI', () => r[NMI_PENDING] === 0);
}

function irq(system: KernelSystem, c: number, vector: number): number {
  const { machine } = system.linux;
  const { r } = machine.cpus[c];
  machine.raiseIrq(c, vector);
  const areOn = (r[EFLAGS] & FLAG_IF) !== 0;
  return areOn ? untilTaken(system, c, 'interrupt', () => (r[EFLAGS] & FLAG_IF) === 0) : 0;
}

function debug(system: KernelSystem, c: number): number {
  const cpu = system.linux.machine.cpus[c];
  cpu.r[DR6] |= DR6_B0;
  cpu.r[DB_PENDING] = 1;
  cpu.attention = 1;
  return untilTaken(system, c, 'debug exception', () => cpu.r[DB_PENDING] === 0);
}

function machineCheck(system: KernelSystem, c: number): number {
  const { machine } = system.linux;
  const cpu = machine.cpus[c];
  if (!mayBeChecked(machine, cpu)) return 0;
  machine.raiseMachineCheck(c);
  return untilTaken(system, c, 'machine check', () => cpu.r[MC_PENDING] === 0);
}

function untilTaken(system: KernelSystem, c: number, event: Interruption['event'], isTaken: () => boolean): number {
  let boundaries = 0;
  let before: Interruption | undefined;
  for (; !isTaken() && boundaries < MOST_TO_TAKE && system.violation === undefined; boundaries++) {
    before = interruptionOf(event, system.linux.machine.cpus[c]);
    system.run(c, 1);
  }
  system.taken(before);
  return boundaries;
}

function unblock(system: KernelSystem, c: number, count: number): number {
  const { r } = system.linux.machine.cpus[c];
  const toBody = toNmiBody(system, c);
  if (toBody === NEVER) return 0;
  let into = 0;
  while (into < count && r[NMI_BLOCKED] !== 0 && system.violation === undefined) into += system.run(c, 1);
  allowNmis(system, c);
  return toBody + into;
}

/** A CPU whose NMIs are blocked goes on to the C function of NMIs. Answers how far, or NEVER. */
export function toNmiBody(system: KernelSystem, c: number): number {
  const { r } = system.linux.machine.cpus[c];
  if (r[NMI_BLOCKED] === 0) return NEVER;
  const isThere = () => system.linux.machine.cpus[c].rip() === system.nmiBody || r[NMI_BLOCKED] === 0;
  const boundaries = isThere() ? 0 : system.runUntil(c, isThere, MOST_TO_BODY);
  return r[NMI_BLOCKED] === 0 ? NEVER : boundaries;
}

/** As an IRET does. */
export function allowNmis(system: KernelSystem, c: number): void {
  const cpu = system.linux.machine.cpus[c];
  cpu.r[NMI_BLOCKED] = 0;
  cpu.attention = 1;
}

function timeGoesOn({ linux: { machine, platform } }: KernelSystem): void {
  const deadline = nextDeadline(machine.cpus);
  if (deadline === Number.POSITIVE_INFINITY) return;
  platform.skipTime(Math.max(0, deadline - platform.readTsc()));
  expireDeadlines(machine.cpus, platform.readTsc());
  platform.words[W_WAITING] = 0;
}
