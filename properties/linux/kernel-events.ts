/**
 * The events of a trace of a booted kernel: what `counterexamples/kernel-case.ts` says of each, done to the machine.
 */
import type { KernelAction } from '../../counterexamples/kernel-case';
import type { Cpu } from '../../emulator/cpu/cpu';
import { X_MCG_EXT_CTL, X_MCG_STATUS } from '../../emulator/extended-state';
import type { LinuxMachine } from '../../emulator/linux/boot/linux-machine';
import { TSS_WORDS } from '../../emulator/linux/image/kernel-offsets';
import { W_WAITING } from '../../emulator/linux/platform/linux-platform';
import {
  CPL,
  CR3,
  CR4,
  CR4_MCE,
  DB_PENDING,
  DR6,
  EFLAGS,
  FLAG_IF,
  IDTR_BASE,
  MC_PENDING,
  NMI_BLOCKED,
  NMI_PENDING,
  RSP,
  TR_BASE,
} from '../../emulator/registers';
import { expireDeadlines, nextDeadline } from '../../emulator/system/apic-timer';
import { LMCE_EN, LMCE_S, MCIP } from '../../emulator/system/machine-check';
import { toVa } from '../../emulator/words';
import { type Interruption, interruptionOf } from './interruption';
import { type KernelSystem, NEVER } from './kernel-system';

/** Boundaries until an event that is not blocked must have been taken. */
const MOST_TO_TAKE = 8;
/** Boundaries from an NMI to its C function. */
const MOST_TO_BODY = 2_000;
/** DR6: breakpoint 0 was hit (SDM vol. 3, 17.2.3). */
const DR6_B0 = 1;
/** B0 to B3, BS. */
const DR6_TOLD = 0x400f;
const PAGE_MASK = 0xfffff000 | 0;
/** The gate of #DB in the IDT, and the size of its stack: EXCEPTION_STKSZ of Linux. */
const DEBUG_GATE = 16,
  DEBUG_STACK = 8192;

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
  machine.raiseMachineCheck(c);
  return untilTaken(system, c, 'machine check', () => machine.cpus[c].r[MC_PENDING] === 0);
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

/**
 * The kernel at CPL0 can be hit by a #DB. It cannot while it handles one on the stack that the gate of #DB names, or
 * has not read yet what DR6 says of one: it keeps breakpoints off what it touches until then, because another #DB would
 * begin at the top of that stack again (SDM vol. 3, 6.14.4 and 17.2.3).
 */
export function mayHitBreakpoint(machine: LinuxMachine['machine'], { r }: Cpu): boolean {
  if (r[CPL] !== 0 || r[NMI_BLOCKED] !== 0 || r[DB_PENDING] !== 0 || (r[DR6] & DR6_TOLD) !== 0) return false;
  const read = (va: number) => machine.readVirtual64(r[CR3] & PAGE_MASK, va);
  const gate = read(toVa(r[IDTR_BASE], r[IDTR_BASE + 1]) + DEBUG_GATE);
  const ist = (gate?.hi ?? 0) & 7;
  const top = ist === 0 ? undefined : read(toVa(r[TR_BASE], r[TR_BASE + 1]) + TSS_WORDS.ist + 8 * (ist - 1));
  const below = top === undefined ? -1 : toVa(top.lo, top.hi) - toVa(r[RSP], r[RSP + 1]);
  return below < 0 || below >= DEBUG_STACK;
}

/**
 * The kernel expects machine checks, and of one CPU alone: others make it wait for all CPUs. It does not while it
 * handles one. A trap that is pending would be lost.
 */
export function mayBeChecked({ r, x, platform }: Cpu): boolean {
  const status = platform.machineCheckStatus;
  const isAlone = (status & LMCE_S) === 0 || (x[X_MCG_EXT_CTL] & LMCE_EN) !== 0;
  return status !== 0 && isAlone && (r[CR4] & CR4_MCE) !== 0 && (x[X_MCG_STATUS] & MCIP) === 0 && r[DB_PENDING] === 0;
}

function timeGoesOn({ linux: { machine, platform } }: KernelSystem): void {
  const deadline = nextDeadline(machine.cpus);
  if (deadline === Number.POSITIVE_INFINITY) return;
  platform.skipTime(Math.max(0, deadline - platform.readTsc()));
  expireDeadlines(machine.cpus, platform.readTsc());
  platform.words[W_WAITING] = 0;
}
