/** What handles events in a guest whose manifest says so. */
import { type EventHandlers, SYSCALL_EVENT } from './guest-view';
import type { Manifest } from './manifest';

const NONE: ReadonlySet<number> = new Set();

/** Undefined where the manifest names no function. */
export function declaredHandlers({ handlers }: Manifest): EventHandlers | undefined {
  if (handlers.size === 0) return undefined;
  const eventOf = (name: string) => (name === 'syscall' ? SYSCALL_EVENT : Number(name));
  const byEvent = new Map([...handlers].map(([name, va]) => [eventOf(name), new Set([va])]));
  return { all: new Set(handlers.values()), of: (event) => byEvent.get(event) ?? NONE };
}
