/**
 * Pushes, or pops, that the emulator would execute as one. Our properties of stack accesses can be asked of all their
 * bytes at once, and a violation is not reported here: then each access is executed, and asked of, by itself.
 */
import type { Observer } from '../../emulator/observer';
import { CPL } from '../../emulator/registers';
import { toVa } from '../../emulator/words';
import { WATCHES_STACK } from '../ghost/watched-pages';
import { isOurs } from '../safety/index';
import type { Scene } from '../safety/scene';
import type { Checks } from './checks';

export type JoinedAccess = NonNullable<Observer['joinedAccess']>;

/** Says no where a property of somebody else's is asked of stack accesses: it may want to see each. */
export function joinedAccess(scene: Scene, { stackAccessed, storedToStack }: Checks): JoinedAccess {
  if (![...stackAccessed, ...storedToStack].every(({ property }) => isOurs(property))) return () => false;
  return (cpu, lo, hi, bytes, pa, write) => {
    if (cpu.r[CPL] !== 3)
      for (const { ask } of stackAccessed) if (ask(scene, cpu, lo, hi, bytes, write) !== undefined) return false;
    if (pa < 0) return true;
    if (scene.pages.why(pa) !== WATCHES_STACK) return false;
    const va = toVa(lo, hi);
    for (const { ask } of storedToStack) if (ask(scene, cpu, pa, va, bytes) !== undefined) return false;
    return true;
  };
}
