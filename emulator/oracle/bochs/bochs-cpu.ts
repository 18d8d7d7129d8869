/**
 * The state of a CPU as Bochs 2.7 saves it: a tree of parameters, with the hidden parts of segments and what is
 * pending. A place in it is a path, `CS.selector` for one. Names of registers are the scenes' (../scenes/scene).
 */
import type { Registers, SceneEvent } from '../scenes/scene';

/** Values by their places; what is not named stays as it is. */
export type Places = ReadonlyMap<string, string>;

/** Where a register stands. */
const REGISTERS: readonly (readonly [register: string, place: string])[] = [
  ...['rax', 'rbx', 'rcx', 'rdx', 'rsp', 'rbp', 'rsi', 'rdi'].map(inCapitals),
  ...['r8', 'r9', 'r10', 'r11', 'r12', 'r13', 'r14', 'r15'].map(inCapitals),
  ...['rip', 'eflags', 'cr0', 'cr2', 'cr3', 'cr4'].map(inCapitals),
  ...['cs', 'ss', 'ds', 'es', 'fs', 'gs'].map((name) => [name, `${name.toUpperCase()}.selector`] as const),
  ['fs_base', 'FS.base'],
  ['gs_base', 'GS.base'],
  ['k_gs_base', 'MSR.kernelgsbase'],
  ['efer', 'MSR.EFER'],
  ['star', 'MSR.star'],
  ['lstar', 'MSR.lstar'],
  ['cstar', 'MSR.cstar'],
  ['fmask', 'MSR.fmask'],
  ['gdtr.base', 'GDTR.base'],
  ['gdtr.limit', 'GDTR.limit'],
  ['idtr.base', 'IDTR.base'],
  ['idtr.limit', 'IDTR.limit'],
  ['tr', 'TR.selector'],
  ['tr.base', 'TR.base'],
  ['tr.limit', 'TR.limit_scaled'],
  ['ldtr', 'LDTR.selector'],
];
/** CR8 is bits 7:4 of the local APIC's task priority. */
const TASK_PRIORITY = 'local_apic.task_priority';
export const REGISTER_PLACES: readonly string[] = [...REGISTERS.map(([, place]) => place), TASK_PRIORITY];

/** Words of 32 vectors each, of the interrupts that are requested and of those in service. */
const REQUESTED = Array.from({ length: 8 }, (_, i) => `local_apic.irr${i}`);
const IN_SERVICE = Array.from({ length: 8 }, (_, i) => `local_apic.isr${i}`);

const FLAG_IF = 0x200n;
const PROTECTED = 2,
  LONG_64 = 4;
/** A cached descriptor that was loaded; 0 for a NULL selector. */
const LOADED = 1;
const CODE = 11,
  DATA = 3,
  BUSY_TSS = 11;
const FLAT = 0xffffffff;
/** Bits of pending and of masked events: an NMI; an interrupt of the local APIC; those that IF=0 masks. */
const NMI = 1,
  APIC_INTERRUPT = 0x800,
  MASKED_BY_IF = 0xf40;

/** The CPU as a scene begins: nothing is pending, nothing in service, no shadow. */
export function sceneCpu(registers: Registers): Places {
  const cpl = Number(registerIn(registers, 'cs') & 3n);
  const interrupts = (registerIn(registers, 'eflags') & FLAG_IF) !== 0n;
  const places = REGISTERS.map(([name, place]): Written => [place, registerIn(registers, name)]);
  const isLoaded = (name: string) => registerIn(registers, name) > 3n;
  return written([
    ...places,
    [TASK_PRIORITY, registerIn(registers, 'cr8') << 4n],
    ['cpu_mode', LONG_64],
    ['activity_state', 0],
    ['inhibit_mask', 0],
    ['debug_trap', 0],
    ['pending_event', 0],
    ['event_mask', interrupts ? 0 : MASKED_BY_IF],
    ['local_apic.software_enabled', true],
    ...[...REQUESTED, ...IN_SERVICE].map((place): Written => [place, 0]),
    ...['CS', 'SS', 'DS', 'ES'].map((name): Written => [`${name}.base`, 0]),
    ...segment('CS', true, CODE, cpl),
    ...segment('SS', isLoaded('ss'), DATA, cpl),
    ...['ds', 'es', 'fs', 'gs'].flatMap((name) => segment(name.toUpperCase(), isLoaded(name), DATA, 3)),
    ['TR.valid', LOADED],
    ['TR.p', true],
    ['TR.segment', false],
    ['TR.type', BUSY_TSS],
    ['TR.granularity', false],
    ['LDTR.valid', 0],
  ]);
}

/** 32-bit code at CPL 0 without paging: linear addresses are physical ones. */
export function unpagedCpu(): Places {
  return written([
    ['cpu_mode', PROTECTED],
    ['CR0', 0x11],
    ['CR4', 0],
    ['MSR.EFER', 0],
    ['EFLAGS', 2],
    ['RIP', 0],
    ['activity_state', 0],
    ['inhibit_mask', 0],
    ['debug_trap', 0],
    ['pending_event', 0],
    ['event_mask', MASKED_BY_IF],
    ['CS.selector', 0],
    ...['CS', 'SS', 'DS'].flatMap((name) => segment(name, true, name === 'CS' ? CODE : DATA, 0)),
    ...['CS', 'SS', 'DS'].map((name): Written => [`${name}.base`, 0]),
    ['CS.d_b', true],
    ['CS.l', false],
  ]);
}

/**
 * The same, about to execute the STI at a physical address with an interrupt pending. After it the CPU looks for
 * pending events before its next instruction, even if all of its state is overwritten.
 */
export function wakingCpu(sti: number): Places {
  const waking = written([
    ['RIP', sti],
    ['pending_event', APIC_INTERRUPT],
  ]);
  return new Map([...unpagedCpu(), ...waking]);
}

/** Where `raised` looks. */
export const EVENT_PLACES: readonly string[] = ['pending_event', TASK_PRIORITY, ...REQUESTED, ...IN_SERVICE];

/** An event is pending, beside what is; an interrupt only if its class is above that of CR8 and of those in service. */
export function raised(cpu: Places, raise: SceneEvent['raise']): Places {
  const pending = Number(placeIn(cpu, 'pending_event'));
  if (raise === 'nmi') return written([['pending_event', pending | NMI]]);
  const word = REQUESTED[raise >> 5];
  const request: Written = [word, (Number(placeIn(cpu, word)) | (1 << (raise & 31))) >>> 0];
  return written(
    raise >> 4 > processorPriority(cpu) ? [['pending_event', pending | APIC_INTERRUPT], request] : [request],
  );
}

/** The class of the interrupts that the local APIC holds back, with all below (SDM vol. 3, 10.8.3.1). */
function processorPriority(cpu: Places): number {
  const inService = IN_SERVICE.map((place, i) => {
    const bits = Number(placeIn(cpu, place));
    return bits === 0 ? 0 : 32 * i + (31 - Math.clz32(bits));
  });
  return Math.max(Number(placeIn(cpu, TASK_PRIORITY)), ...inService) >> 4;
}

/** These registers, and nothing else. */
export function placesOf(registers: Iterable<readonly [name: string, value: bigint]>): Places {
  const places = new Map(REGISTERS);
  return written([...registers].map(([name, value]): Written => [places.get(name) as string, value]));
}

/** All registers of a scene. */
export function registersIn(cpu: Places): Registers {
  const registers: Registers = new Map(REGISTERS.map(([name, place]) => [name, BigInt(placeIn(cpu, place))]));
  return registers.set('cr8', BigInt(placeIn(cpu, TASK_PRIORITY)) >> 4n);
}

type Written = readonly [place: string, value: bigint | number | boolean];

function written(places: readonly Written[]): Places {
  const text = (value: Written[1]) => (typeof value === 'boolean' ? `${value}` : `0x${value.toString(16)}`);
  return new Map(places.map(([place, value]) => [place, text(value)]));
}

function segment(name: string, loaded: boolean, type: number, dpl: number): Written[] {
  return [
    [`${name}.valid`, loaded ? LOADED : 0],
    [`${name}.p`, loaded],
    [`${name}.dpl`, dpl],
    [`${name}.segment`, true],
    [`${name}.type`, type],
    [`${name}.limit_scaled`, loaded ? FLAT : 0],
    [`${name}.granularity`, loaded],
    [`${name}.d_b`, loaded && type === DATA],
    [`${name}.l`, type === CODE],
  ];
}

function inCapitals(name: string): readonly [string, string] {
  return [name, name.toUpperCase()];
}

function registerIn(registers: Registers, name: string): bigint {
  const value = registers.get(name);
  if (value === undefined) throw new RangeError(`expected register "${name}" in the scene, found none`);
  return value;
}

function placeIn(cpu: Places, place: string): string {
  const value = cpu.get(place);
  if (value === undefined) throw new RangeError(`expected "${place}" in the state of Bochs, found none`);
  return value;
}
