import type { Cpu } from '../../emulator/cpu/cpu';
import type { Ghost } from '../ghost/ghost';
import type { WatchedPages } from '../ghost/watched-pages';
import type { GuestView } from '../guest/guest-view';

/**
 * What a property sees: the machine under test and what is remembered beside it. The monitor is the one that implements
 * it; a property knows no more than this.
 */
export interface Scene {
  /** The machine, and where the manifest says that stacks, tables and tasks lie. */
  readonly view: GuestView;
  /** Open contexts with what they interrupted, the thread that runs, the environment after the last instruction. */
  readonly ghost: Ghost;
  /** Why the stores to a page are watched. */
  readonly pages: WatchedPages;
  /** Within a delivery: the new context is not open yet, and no frame is the running context's own. */
  readonly inDelivery: boolean;
  /** The instruction is an IRET to user mode, whose frame is the user's affair: its fault is nobody's mistake. */
  mayFaultAtIret(cpu: Cpu): boolean;
}
