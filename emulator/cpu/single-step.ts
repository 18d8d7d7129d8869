/** The #DB trap of TF (SDM vol. 3, 17.3.1.4): noted when an instruction ends, delivered at the next boundary. */
import { DB_PENDING, DR6 } from '../registers';
import type { Cpu } from './cpu';

/** DR6.BS: the #DB is a single step. */
const DR6_BS = 0x4000;

export function pendSingleStep(cpu: Cpu): void {
  cpu.r[DR6] |= DR6_BS;
  cpu.r[DB_PENDING] = 1;
  cpu.attention = 1;
}
