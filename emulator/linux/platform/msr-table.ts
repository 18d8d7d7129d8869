/** The MSRs that a kernel finds besides those of `system/msr.ts`; any other is #GP(0), which kernels probe for. */
import { X_SPEC_CTRL, X_TSC_AUX } from '../../extended-state';
import type { MsrRule } from '../../platform';
import type { CpuidModel } from './cpuid-model';

/** Words of `cpu.x` that this table gives to MSRs, each a pair. */
const X_SYSENTER_CS = 160,
  X_SYSENTER_ESP = 162,
  X_SYSENTER_EIP = 164;
/** A revision of the microcode that no list of bad ones names. */
const NEWEST_UPDATE = 0x7fffffff;
const IBRS = 1,
  STIBP = 2,
  SSBD = 4;
/** IA32_MISC_ENABLE: fast strings; a write is ignored, as Linux clears bits there that it does not find. */
const FAST_STRINGS = 1;
/** IA32_ARCH_CAPABILITIES: not susceptible to Rogue Data Cache Load. */
const RDCL_NO = 1;

function stored(word: number): MsrRule {
  return { kind: 'stored', word, writableLo: -1, writableHi: -1 };
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
  if (model.has('flush-l1d')) table.set(0x10b, { kind: 'command', allowed: 1 });
  if (model.has('rdcl-no')) table.set(0x10a, { kind: 'constant', lo: RDCL_NO, hi: 0, write: 'fault' });
  if (model.has('rdtscp') || model.has('rdpid'))
    table.set(0xc0000103, { kind: 'stored', word: X_TSC_AUX, writableLo: -1, writableHi: 0 });
  return table;
}
