/**
 * S2 user-mode-uses-user-cr3: when a transfer from CPL0 to CPL3 is complete, CR3 is the root that the design uses in
 * user mode, of the current task's address space, and with PCIDs the PCID is the user's (bit 11,
 * X86_CR3_PTI_PCID_USER_BIT, where the design has two halves).
 */
import type { Cpu } from '../../emulator/cpu/cpu';
import { CR3, CR4, CR4_PCIDE } from '../../emulator/registers';
import type { Monitor } from '../monitor/monitor';
import { S2 } from './property';

const ROOT = 0xfffff000 | 0;
const USER_PCID_BIT = 0x800;

export function userModeUsesUserCr3(m: Monitor, cpu: Cpu): void {
  const t = m.view.currentThread(cpu.index);
  const cr3 = cpu.r[CR3];
  const expected = t >= 0 && m.view.isTask(t) ? m.view.userRoot(m.view.mmOf(t)) : -1;
  if (cpu.r[CR3 + 1] !== 0 || (cr3 & ROOT) !== expected)
    m.report(
      S2,
      cpu,
      `expected CR3 ${expected < 0 ? 'of a user task' : expected.toString(16)} in user mode, found ${(cr3 >>> 0).toString(16)}`,
    );
  else if ((cpu.r[CR4] & CR4_PCIDE) !== 0 && m.view.manifest.pgdUserOffset !== 0 && (cr3 & USER_PCID_BIT) === 0)
    m.report(S2, cpu, `expected the user PCID (bit 11) in CR3 in user mode, found ${(cr3 >>> 0).toString(16)}`);
}
