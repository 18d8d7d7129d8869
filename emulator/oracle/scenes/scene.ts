/**
 * A scene: all state of one CPU and 256 KiB of RAM, from which a few steps are taken on several machines, with events
 * raised before some of them. Scenes are what the conformance corpus consists of, and what random sequences begin with.
 *
 * Registers go by the names of QEMU's target description; those that it lacks have names of the manual's in small
 * letters. Interrupts: local APIC enabled, nothing requested, nothing in service, NMIs not blocked, no shadow.
 */
import type { Cpu } from '../../cpu/cpu';
import { setRflags } from '../../cpu/outcome';
import { Machine } from '../../machine';
import {
  APIC_TPR,
  CPL,
  CSTAR,
  FMASK,
  GDTR_BASE,
  GDTR_LIMIT,
  IDTR_BASE,
  IDTR_LIMIT,
  LDTR,
  LSTAR,
  STAR,
  TR,
  TR_BASE,
  TR_LIMIT,
} from '../../registers';
import { GUEST_PLATFORM } from '../../system/guest-platform';
import { bigHi, bigLo } from '../../words';
import { SOURCES, type Source } from '../architectural-state';

export const SCENE_BYTES = 0x40000;

/** Before the step with this number, counted from 0; a vector, or an NMI. */
export interface SceneEvent {
  readonly step: number;
  readonly raise: 'nmi' | number;
}

export type Registers = Map<string, bigint>;

export interface Scene {
  readonly registers: Registers;
  readonly memory: Uint8Array;
  readonly events: readonly SceneEvent[];
  readonly steps: number;
}

/** Those that no debugger shows. */
const HIDDEN: readonly Source[] = [
  ['gdtr.base', GDTR_BASE, true],
  ['gdtr.limit', GDTR_LIMIT, false],
  ['idtr.base', IDTR_BASE, true],
  ['idtr.limit', IDTR_LIMIT, false],
  ['tr', TR, false],
  ['tr.base', TR_BASE, true],
  ['tr.limit', TR_LIMIT, false],
  ['ldtr', LDTR, false],
  ['star', STAR, true],
  ['lstar', LSTAR, true],
  ['cstar', CSTAR, true],
  ['fmask', FMASK, false],
];

/** Without `cpl`, which is that of `cs`. */
const PLAIN: readonly Source[] = [...SOURCES.filter(([name]) => name !== 'cpl'), ...HIDDEN];

export const SCENE_REGISTERS: readonly string[] = [...PLAIN.map(([name]) => name), 'cr8', 'eflags'];

/** A machine for scenes; one serves for many. */
export function sceneMachine(): Machine {
  const image = { entry: 0, segments: [], symbol: () => 0 };
  return new Machine(image, { cpus: 1, ramBytes: SCENE_BYTES, platform: GUEST_PLATFORM });
}

/** Puts the machine into the state that the scene begins with. */
export function loadScene(machine: Machine, { registers, memory }: Pick<Scene, 'registers' | 'memory'>): void {
  machine.memory.writeBytes(0, memory);
  loadRegisters(machine, registers);
}

/** The same for a machine that has the memory of the scene already. */
export function loadRegisters(machine: Machine, registers: Registers): void {
  const [cpu] = machine.cpus;
  const { r } = cpu;
  machine.boot(0, { cpus: 1, tasks: 0, mms: 0 });
  for (const [name, word, pair] of PLAIN) {
    const value = valueIn(registers, name);
    r[word] = bigLo(value);
    if (pair) r[word + 1] = bigHi(value);
  }
  r[CPL] = Number(valueIn(registers, 'cs')) & 3;
  r[APIC_TPR] = Number(valueIn(registers, 'cr8')) << 4;
  setRflags(cpu, bigLo(valueIn(registers, 'eflags')));
  cpu.refresh();
  cpu.dropCode();
}

/** All registers as they are now. */
export function registersOf(cpu: Cpu): Registers {
  const { r } = cpu;
  const registers: Registers = new Map();
  for (const [name, word, pair] of PLAIN) registers.set(name, pair ? cpu.get64(word) : BigInt(r[word] >>> 0));
  registers.set('cr8', BigInt((r[APIC_TPR] >> 4) & 15));
  return registers.set('eflags', BigInt(cpu.rflags() >>> 0));
}

/** Raises the events that come before a step. */
export function raiseEvents(machine: Machine, events: readonly SceneEvent[], step: number): void {
  for (const event of events) {
    if (event.step !== step) continue;
    if (event.raise === 'nmi') machine.raiseNmi(0);
    else machine.raiseIrq(0, event.raise);
  }
}

function valueIn(registers: Registers, name: string): bigint {
  const value = registers.get(name);
  if (value === undefined) throw new RangeError(`expected register "${name}" in the scene, found none`);
  return value;
}
