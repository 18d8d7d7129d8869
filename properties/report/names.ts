/**
 * Names of actions and bounds as a report writes them.
 */
import type { Action } from '../../counterexamples/format';
import type { Bounds, Limit, OpenBounds } from '../../model/checker/language/schema-types';
import { instanceName } from '../../model/checker/model';
import { RULES } from '../../model/rules';
import { counted } from './numbers';

/** An action as a call: `switch-to(c0, t1)`, `irq(c0, 0x20)`, `run(c1, 12)`. */
export function actionName(action: Action, bounds: Pick<Bounds, 'tasks'>): string {
  const on = `c${action.cpu}`;
  switch (action.action) {
    case 'run':
      return `run(${on}, ${action.count})`;
    case 'irq':
      return `irq(${on}, 0x${action.vector.toString(16)})`;
    case 'nmi':
      return `nmi(${on})`;
    case 'step': {
      const { rule, cpu, args = [] } = action;
      const params = RULES.find(({ name }) => name === rule)?.params ?? ['cpu'];
      return instanceName({ rule, params, args: [cpu, ...args] }, bounds);
    }
  }
}

function eventsInWords(limit: Limit, one: string): string {
  return limit === 'any' ? `any number of ${one}s` : `at most ${counted(limit, one)}`;
}

/** The bounds of a search or a campaign in one line. */
export function boundsInWords(b: OpenBounds): string {
  const events =
    b.nmis === 'any' || b.irqs === 'any'
      ? `${eventsInWords(b.nmis, 'NMI')} and ${eventsInWords(b.irqs, 'IRQ')}`
      : `at most ${counted(b.nmis, 'NMI')} and ${counted(b.irqs, 'IRQ')}`;
  return `${counted(b.cpus, 'CPU')}, ${counted(b.tasks, 'task')}, ${counted(b.mms, 'address space')}, nesting ${b.nesting === 'any' ? 'of any depth' : b.nesting}, ${events}`;
}
