/** The MSRs that a kernel finds besides those of `system/msr.ts`; any other is #GP(0), which kernels probe for. */
import { X_MCG_EXT_CTL, X_MCG_STATUS, X_SPEC_CTRL, X_TSC_AUX } from '../../extended-state';
import type { MsrRule } from '../../platform';
import { LMCE_EN } from '../../system/machine-check';
import type { CpuidModel } from './cpuid-model';

/** Words of `cpu.x` that this table gives to MSRs, each a pair. */
const X_SYSENTER_CS = 160,
  X_SYSENTER_ESP = 162,
  X_SYSENTER_EIP = 164,
  X_MC_CTL = 166;
/** A pair that is always 0. */
const X_ZERO = 170;
/** A revision of the microcode that no list of bad ones names. */
const NEWEST_UPDATE = 0x7fffffff;
const IBRS = 1,
  STIBP = 2,
  SSBD = 4;
/** IA32_MISC_ENABLE: fast strings; a write is ignored, as Linux clears bits there that it does not find. */
const FAST_STRINGS = 1;
/** IA32_ARCH_CAPABILITIES: not susceptible to Rogue Data Cache Load. */
const RDCL_NO = 1;

/** Banks of error-reporting registers: Linux reads that of bank 1 on a Skylake server (quirk_skylake_repmov). */
const BANKS = 2;
/** IA32_MCG_CAP besides the number of banks: software recovers from errors, and a check may be of one CPU alone. */
const MCG_SER_P = 1 << 24,
  MCG_LMCE_P = 1 << 27;
/** IA32_FEATURE_CONTROL: locked, and machine checks of one CPU alone may be turned on. */
const LOCKED = 1,
  LMCE_ON = 1 << 20;
/** RIPV, EIPV, MCIP and LMCE_S of IA32_MCG_STATUS. */
const MCG_STATUS_BITS = 0xf;

function stored(word: number, writableLo = -1, writableHi = -1): MsrRule {
  return { kind: 'stored', word, writableLo, writableHi };
}

/** The machine-check architecture (SDM vol. 3, 16.3). No bank tells of an error: only zeros may be written there. */
function machineChecks(table: Map<number, MsrRule>, model: CpuidModel): void {
  const intel = model.vendor === 'intel';
  const able = intel ? MCG_SER_P | MCG_LMCE_P : 0;
  table.set(0x179, { kind: 'constant', lo: BANKS | able, hi: 0, write: 'fault' }); // IA32_MCG_CAP
  table.set(0x17a, stored(X_MCG_STATUS, MCG_STATUS_BITS, 0));
  if (intel) {
    table.set(0x3a, { kind: 'constant', lo: LOCKED | LMCE_ON, hi: 0, write: 'fault' }); // IA32_FEATURE_CONTROL
    table.set(0x4d0, stored(X_MCG_EXT_CTL, LMCE_EN, 0));
  }
  for (let bank = 0; bank < BANKS; bank++) {
    table.set(0x400 + 4 * bank, stored(X_MC_CTL + 2 * bank));
    for (let register = 1; register < 4; register++) table.set(0x400 + 4 * bank + register, stored(X_ZERO, 0, 0));
  }
}

export function msrTable(model: CpuidModel): ReadonlyMap<number, MsrRule> {
  const table = new Map<number, MsrRule>([
    [0x10, { kind: 'tsc' }],
    [0x17, { kind: 'constant', lo: 0, hi: 0, write: 'fault' }], // IA32_PLATFORM_ID
    [0x1b, { kind: 'apic-base' }],
    [0x8b, { kind: 'constant', lo: 0, hi: NEWEST_UPDATE, write: 'ignored' }], // IA32_BIOS_SIGN_ID
    [0x174, stored(X_SYSENTER_CS)],
    [0x175, stored(X_SYSENTER_ESP)],
    [0x176, stored(X_SYSENTER_EIP)],
    [0x1a0, { kind: 'constant', lo: FAST_STRINGS, hi: 0, write: 'ignored' }],
    [0x6e0, { kind: 'tsc-deadline' }],
  ]);
  const control = (model.has('ibrs') ? IBRS : 0) | (model.has('stibp') ? STIBP : 0) | (model.has('ssbd') ? SSBD : 0);
  if (control !== 0) table.set(0x48, { kind: 'stored', word: X_SPEC_CTRL, writableLo: control, writableHi: 0 });
  if (model.has('ibrs')) table.set(0x49, { kind: 'command', allowed: 1 });
  if (model.has('mce')) machineChecks(table, model);
  if (model.has('flush-l1d')) table.set(0x10b, { kind: 'command', allowed: 1 });
  if (model.has('rdcl-no')) table.set(0x10a, { kind: 'constant', lo: RDCL_NO, hi: 0, write: 'fault' });
  if (model.has('rdtscp') || model.has('rdpid'))
    table.set(0xc0000103, { kind: 'stored', word: X_TSC_AUX, writableLo: -1, writableHi: 0 });
  return table;
}
