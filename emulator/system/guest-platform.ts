/**
 * The machine of the entry code under test: choice ports and the delay port, no CPUID, no time, no FPU. What such code
 * does not need is refused, so that none of it can be taken for something that it is not.
 */
import type { Offer, OptionalInstruction, Platform } from '../platform';

/** A write to it takes a microsecond on a PC and does nothing else. */
const DELAY_PORT = 0x80;
const MSR_APIC_BASE = 0x1b;
/** Enabled, bootstrap processor, at the architectural address. */
const APIC_BASE_VALUE = 0xfee00900 | 0;
const VERSION = 0x14;

const REFUSED: Readonly<Record<OptionalInstruction, Offer>> = {
  clflush: 'refused',
  cmpxchg16b: 'refused',
  cpuid: 'refused',
  'fpu-state': 'refused',
  ldt: 'refused',
  rdpid: 'refused',
  rdtsc: 'refused',
  rdtscp: 'refused',
  'scan-with-f3': 'refused',
  'wide-port-read': 'refused',
  xgetbv: 'refused',
};

/** Without state, so that all such machines share it. */
export const GUEST_PLATFORM: Platform = {
  vendor: 'intel',
  instructions: REFUSED,
  extendedState: false,
  words: new Int32Array(0),
  msrs: new Map([[MSR_APIC_BASE, { kind: 'constant', lo: APIC_BASE_VALUE, hi: 0, write: 'refused' }]]),
  otherMsr: 'refused',
  apic: { version: VERSION, complete: false },
  machineCheckStatus: 0,
  choices: true,
  connect() {},
  cpuid() {},
  readTsc: () => 0,
  deadlineWritten() {},
  readPort: () => undefined,
  writePort: (_cpu, port) => port === DELAY_PORT,
};
