/**
 * When two counterexamples are one case: same property, design and bounds, and traces that differ only in how they are
 * written. The image, the outcome's details and the origin do not count: the same trace on a re-assembled image is
 * still the same case.
 */
import { createHash } from 'node:crypto';
import { type Action, type Counterexample, designName } from './format';

/** A text that is equal exactly for equal cases. */
export function canonicalTrace(c: Counterexample): string {
  const b = c.bounds;
  const head = [c.property, designName(c), b.cpus, b.tasks, b.mms, b.nesting, b.nmis, b.irqs];
  return JSON.stringify([head, canonicalActions(c.actions).map(row)]);
}

/**
 * The file name of a case. `attempt` gives another name of the same shape, for the day when eight digits collide. All
 * its parts have passed the format's name pattern, so that it is never a path.
 */
export function caseFileName(c: Counterexample, attempt = 0): string {
  const text = attempt === 0 ? canonicalTrace(c) : `${canonicalTrace(c)}#${attempt}`;
  const digits = createHash('sha256').update(text).digest('hex').slice(0, 8);
  return `${c.property}--${designName(c)}--${digits}.json`;
}

/** Adjacent runs of one CPU are one run, and a run of nothing is none. */
export function canonicalActions(actions: readonly Action[]): Action[] {
  const canonical: Action[] = [];
  for (const action of actions) {
    const last = canonical.at(-1);
    if (action.action === 'run' && last?.action === 'run' && last.cpu === action.cpu) {
      const choices = [...(last.choices ?? []), ...(action.choices ?? [])];
      canonical[canonical.length - 1] = { ...last, count: last.count + action.count, choices };
    } else if (action.action !== 'run' || action.count > 0) {
      canonical.push(action);
    }
  }
  return canonical;
}

function row(action: Action): unknown[] {
  switch (action.action) {
    case 'step':
      return ['step', action.cpu, action.rule, action.args ?? [], action.choices ?? []];
    case 'run':
      return ['run', action.cpu, action.count, action.choices ?? []];
    case 'irq':
      return ['irq', action.cpu, action.vector, action.at ?? ''];
    case 'nmi':
      return ['nmi', action.cpu, action.at ?? ''];
  }
}
