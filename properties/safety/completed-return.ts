import { RIP, RSP } from '../../emulator/registers';
import { savedRegister } from '../ghost/contexts';
import type { Scene } from './scene';

const WORD = 8;

/**
 * Where a context goes on if the kernel has completed the return that an event interrupted in it, in place of going
 * back to that return; undefined if it was none that a kernel completes.
 */
export function completedReturn({ view, ghost }: Scene, at: number): { ip: number; sp: number } | undefined {
  const below = view.completedReturns.get(savedRegister(ghost, at, RIP));
  if (below === undefined) return undefined;
  const address = savedRegister(ghost, at, RSP) + below;
  return { ip: view.pointerAt(view.physical(address)), sp: address + WORD };
}
