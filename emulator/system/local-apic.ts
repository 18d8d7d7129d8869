/**
 * The local APIC as far as a kernel's entry code needs it (SDM vol. 3, 11): fixed interrupts with request and
 * in-service bits and priority by class, EOI, and the interrupt command register with fixed and NMI delivery. Where the
 * platform has a complete one there are also logical destinations, INIT and start-up IPIs, and the registers of
 * `apic-registers.ts`. Left out: level triggering, x2APIC. Registers are 32-bit accesses at 16-byte steps; any other
 * width is not implemented.
 *
 *   ICR low   | .. | 19:18 shorthand | .. | 14 level | .. | 11 destination mode | 10:8 delivery mode | 7:0 vector |
 *   ICR high  | 31:24 APIC id | .. |
 */
import type { Cpu } from '../cpu/cpu';
import { X_WAITS_FOR_SIPI } from '../extended-state';
import { APIC_ICR, APIC_IRR, APIC_ISR, APIC_SVR, APIC_TPR, ONLINE } from '../registers';
import { UnimplementedError } from '../unimplemented';
import { isLogicalTarget, readApicRegister, writeApicRegister } from './apic-registers';
import { raiseNmi } from './nmi-line';

export const APIC_BASE = 0xfee00000;
const REG_ID = 0x20,
  REG_VERSION = 0x30,
  REG_TPR = 0x80,
  REG_EOI = 0xb0,
  REG_SVR = 0xf0;
const REG_ISR = 0x100,
  REG_IRR = 0x200,
  REG_ICR_LOW = 0x300,
  REG_ICR_HIGH = 0x310;
const SVR_ENABLED = 0x100;
const MODE_FIXED = 0,
  MODE_NMI = 4,
  MODE_INIT = 5,
  MODE_START_UP = 6;
const LOGICAL = 0x800,
  ASSERT = 0x4000;
/** Destination shorthands. */
const TO_ID = 0,
  TO_SELF = 1,
  TO_ALL = 2;

const clz32 = Math.clz32;

export function resetApic(r: Int32Array): void {
  r[APIC_SVR] = SVR_ENABLED | 0xff;
}

export function hasRequest(r: Int32Array): boolean {
  for (let i = 0; i < 8; i++) if (r[APIC_IRR + i] !== 0) return true;
  return false;
}

/** Highest vector in a 256-bit map, or -1. */
function highest(r: Int32Array, map: number): number {
  for (let i = 7; i >= 0; i--) if (r[map + i] !== 0) return i * 32 + 31 - clz32(r[map + i]);
  return -1;
}

/** A request whose class (bits 7:4) is above that of everything in service and of the task priority. */
export function deliverableVector(r: Int32Array): number {
  const request = highest(r, APIC_IRR);
  if (request < 0) return -1;
  const inService = highest(r, APIC_ISR);
  const priority = Math.max(inService >> 4, (r[APIC_TPR] >> 4) & 0xf);
  return request >> 4 > priority ? request : -1;
}

export function acknowledge(r: Int32Array, vector: number): void {
  const bit = 1 << (vector & 31);
  r[APIC_IRR + (vector >> 5)] &= ~bit;
  r[APIC_ISR + (vector >> 5)] |= bit;
}

/** Vectors below 16 are illegal and a disabled APIC takes no fixed interrupt: both are dropped here. */
export function requestInterrupt(cpu: Cpu, vector: number): void {
  if (vector < 16 || vector > 255 || (cpu.r[APIC_SVR] & SVR_ENABLED) === 0) return;
  cpu.r[APIC_IRR + (vector >> 5)] |= 1 << (vector & 31);
  cpu.attention = 1;
}

export function readApic(cpu: Cpu, offset: number, size: number): number {
  checkWidth(cpu, offset, size);
  const r = cpu.r;
  const map = (offset >> 4) & 7;
  if ((offset & ~0x70) === REG_ISR) return r[APIC_ISR + map];
  if ((offset & ~0x70) === REG_IRR) return r[APIC_IRR + map];
  switch (offset) {
    case REG_ID:
      return cpu.index << 24;
    case REG_VERSION:
      return cpu.platform.apic.version;
    case REG_TPR:
      return r[APIC_TPR];
    case REG_SVR:
      return r[APIC_SVR];
    case REG_ICR_LOW:
      return r[APIC_ICR];
    case REG_ICR_HIGH:
      return r[APIC_ICR + 1];
    default:
      return readOther(cpu, offset);
  }
}

function readOther(cpu: Cpu, offset: number): number {
  const value = cpu.platform.apic.complete ? readApicRegister(cpu, offset) : undefined;
  if (value === undefined)
    throw new UnimplementedError(`reading local APIC register 0x${offset.toString(16)}`, cpu.rip());
  return value;
}

export function writeApic(cpu: Cpu, cpus: readonly Cpu[], offset: number, size: number, value: number): void {
  checkWidth(cpu, offset, size);
  const r = cpu.r;
  switch (offset) {
    case REG_TPR:
      r[APIC_TPR] = value & 0xff;
      return;
    case REG_EOI:
      endOfInterrupt(r);
      return;
    case REG_SVR:
      r[APIC_SVR] = value & 0x1ff;
      return;
    case REG_ICR_HIGH:
      r[APIC_ICR + 1] = value;
      return;
    case REG_ICR_LOW:
      r[APIC_ICR] = value & ~0x1000;
      send(cpu, cpus, value);
      return;
    default:
      if (!cpu.platform.apic.complete || !writeApicRegister(cpu, offset, value))
        throw new UnimplementedError(`writing local APIC register 0x${offset.toString(16)}`, cpu.rip());
  }
}

function checkWidth(cpu: Cpu, offset: number, size: number): void {
  if (size !== 4 || (offset & 15) !== 0)
    throw new UnimplementedError(`a ${size}-byte access to local APIC offset 0x${offset.toString(16)}`, cpu.rip());
}

function endOfInterrupt(r: Int32Array): void {
  const vector = highest(r, APIC_ISR);
  if (vector >= 0) r[APIC_ISR + (vector >> 5)] &= ~(1 << (vector & 31));
}

function send(cpu: Cpu, cpus: readonly Cpu[], command: number): void {
  const mode = (command >> 8) & 7;
  if (!canSend(cpu, mode, (command & LOGICAL) !== 0)) {
    throw new UnimplementedError(
      `an IPI with command 0x${(command >>> 0).toString(16)} (fixed and NMI to a physical id are)`,
      cpu.rip(),
    );
  }
  for (const target of cpus) {
    if (!isTarget(cpu, target, command)) continue;
    if (mode === MODE_NMI) raiseNmi(target);
    else if (mode === MODE_FIXED) requestInterrupt(target, command & 0xff);
    else if (mode === MODE_START_UP) startUp(target, command & 0xff);
    else if ((command & ASSERT) !== 0) initialise(target);
  }
}

function canSend(cpu: Cpu, mode: number, logical: boolean): boolean {
  const { complete, startUp } = cpu.platform.apic;
  if (logical && !complete) return false;
  if (mode === MODE_INIT || mode === MODE_START_UP) return startUp !== undefined;
  return mode === MODE_FIXED || mode === MODE_NMI;
}

/** INIT leaves a CPU waiting, and nothing but a start-up IPI wakes it (SDM vol. 3, 9.4.2). */
function initialise(target: Cpu): void {
  target.r[ONLINE] = 0;
  target.x[X_WAITS_FOR_SIPI] = 1;
  target.attention = 1;
}

/** A CPU that does not wait for one takes no notice of a start-up IPI. */
function startUp(target: Cpu, vector: number): void {
  if (target.x[X_WAITS_FOR_SIPI] === 0) return;
  target.x[X_WAITS_FOR_SIPI] = 0;
  target.platform.apic.startUp?.(target, vector);
}

function isTarget(cpu: Cpu, target: Cpu, command: number): boolean {
  const destination = cpu.r[APIC_ICR + 1] >>> 24;
  switch ((command >> 18) & 3) {
    case TO_ID:
      if ((command & LOGICAL) !== 0) return isLogicalTarget(target, destination);
      return target.index === destination || destination === 0xff;
    case TO_SELF:
      return target === cpu;
    case TO_ALL:
      return true;
    default:
      return target !== cpu;
  }
}
