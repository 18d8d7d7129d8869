/**
 * Traces of a booted kernel: they begin in the state after the boot and are a function of it.
 * `counterexamples/kernel-case.ts` says what each action is.
 */
import type { KernelAction } from '../../counterexamples/kernel-case';

/** Adjacent runs of the same kind are one. */
export function joined(actions: readonly KernelAction[]): KernelAction[] {
  const all: KernelAction[] = [];
  for (const action of actions) {
    const last = all.at(-1);
    if (last?.action === 'turns' && action.action === 'turns')
      all[all.length - 1] = { ...last, count: last.count + action.count };
    else if (last?.action === 'run' && action.action === 'run' && last.cpu === action.cpu)
      all[all.length - 1] = { ...last, count: last.count + action.count };
    else all.push(action);
  }
  return all.filter((action) => !('count' in action) || action.count > 0);
}
