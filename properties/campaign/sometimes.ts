/**
 * `sometimes` properties: situations that a campaign must reach, or its silence means nothing. Each is a goal in the
 * abstract machine; a directed walk searches the shortest trace to it and replays that on the emulator. One that cannot
 * be reached is reported as vacuous, not as passed.
 */

import type { Bounds } from '../../model/checker/language/schema-types';
import type { RuleInstance } from '../../model/checker/model';
import { explore } from '../../model/checker/search/explore';
import { type EntryModel, entryModel } from '../../model/entry-model';
import { GP, IRQ, KERNEL, NMI, NMI_STACK, PF, PTI, SYSCALL } from '../../model/kinds';
import type { State } from '../../model/schema';
import { concretiseAny } from '../shrinking/concretise';
import { interleavings } from '../shrinking/interleavings';
import type { Subject } from './subject';

type Goal = (before: State, instance: RuleInstance, after: State) => boolean;

interface Sometimes {
  readonly name: string;
  /** Bounds beyond the default ones that the situation needs. */
  readonly needs: Partial<Bounds>;
  /** Only designs with a per-task PTI stack can reach it. */
  readonly perTaskEntry?: boolean;
  readonly goal: Goal;
}

function contexts(s: State, t: number, kind: number): number {
  return s.kind[t].filter((k, i) => k === kind && i < s.depth[t]).length;
}

function innermost(s: State, c: number): { kind: number; body: number } {
  const t = s.running[c];
  const i = s.depth[t] - 1;
  return i < 0 ? { kind: 0, body: 0 } : { kind: s.kind[t][i], body: s.body[t][i] };
}

/**
 * A task runs on another CPU than the one that booted it (task t on CPU t). Not a task that waits since boot for its
 * first CPU, and not an idle thread, which has only one.
 */
function resumedElsewhere(before: State, { rule, args: [c, t] }: RuleInstance, after: State): boolean {
  const booted = Math.min(before.running.length, before.depth.length - before.running.length);
  return rule === 'switch-to' && t < booted && t !== c && after.depth[t] > 0;
}

const delivered = (instance: RuleInstance): boolean => instance.rule === 'nmi' || instance.rule === 'latched-nmi';

/** A second NMI context is opened on CPU `c`. */
function nested(before: State, instance: RuleInstance, after: State): boolean {
  const [c] = instance.args;
  const t = before.running[c];
  return delivered(instance) && contexts(before, t, NMI) > 0 && contexts(after, t, NMI) > contexts(before, t, NMI);
}

const SOMETIMES: readonly Sometimes[] = [
  {
    name: 'nested-nmi-after-iret-in-handler',
    needs: { nesting: 3, nmis: 2, irqs: 0 },
    goal: (before, i, after) =>
      nested(before, i, after) && before.stack[i.args[0]] === NMI_STACK && innermost(before, i.args[0]).body === 1,
  },
  {
    name: 'nested-nmi-before-repeated-handler',
    needs: { nesting: 3, nmis: 3, irqs: 0 },
    goal: (before, i, after) =>
      nested(before, i, after) && before.stack[i.args[0]] === NMI_STACK && innermost(before, i.args[0]).body === 0,
  },
  {
    name: 'nested-nmi-in-handler-from-user-mode',
    needs: { nesting: 3, nmis: 2, irqs: 0 },
    goal: (before, i, after) => nested(before, i, after) && before.stack[i.args[0]] !== NMI_STACK,
  },
  {
    name: 'nmi-latched-while-blocked',
    needs: { nmis: 2, irqs: 0 },
    goal: (before, i, after) => before.nmiPending[i.args[0]] === 0 && after.nmiPending[i.args[0]] === 1,
  },
  {
    name: 'nmi-on-user-half-at-cpl0',
    needs: { irqs: 0 },
    goal: (before, i) => delivered(i) && before.user[i.args[0]] === 0 && before.userHalf[i.args[0]] === 1,
  },
  {
    name: 'kernel-page-fault-sleeps',
    needs: { nmis: 0, irqs: 0 },
    goal: (before, i) =>
      i.rule === 'switch-to' &&
      innermost(before, i.args[0]).kind === PF &&
      before.depth[before.running[i.args[0]]] === 2,
  },
  {
    name: 'preempted-in-kernel',
    needs: { nmis: 0 },
    goal: (before, i) =>
      i.rule === 'switch-to' &&
      innermost(before, i.args[0]).kind === IRQ &&
      before.depth[before.running[i.args[0]]] === 2,
  },
  {
    name: 'resumed-on-another-cpu',
    needs: { nmis: 0 },
    goal: resumedElsewhere,
  },
  {
    name: 'resumed-on-another-cpu-on-its-pti-stack',
    needs: { nmis: 0 },
    perTaskEntry: true,
    goal: (before, i, after) =>
      resumedElsewhere(before, i, after) &&
      before.savedStack[i.args[1]] === PTI &&
      before.kind[i.args[1]][0] === IRQ &&
      after.stack[i.args[0]] === PTI,
  },
  {
    name: 'bad-iret-repaired',
    needs: { nmis: 0, irqs: 0 },
    goal: (before, i) => i.rule === 'iret-to-user' && innermost(before, i.args[0]).kind === GP,
  },
  {
    name: 'irq-in-system-call',
    needs: { nmis: 0 },
    goal: (before, i) =>
      i.rule === 'irq' && innermost(before, i.args[0]).kind === SYSCALL && before.stack[i.args[0]] === KERNEL,
  },
];

/** How a directed walk ended. */
export type Directed =
  | { readonly kind: 'reached'; readonly name: string; readonly length: number }
  | { readonly kind: 'unreachable'; readonly name: string; readonly why: string };

/** The model at the bounds of a `sometimes` property: as small as the situation allows, so that the search is short. */
function modelFor(subject: Subject, sometimes: Sometimes): EntryModel | undefined {
  const bounds = { ...subject.bounds, ...sometimes.needs };
  const { design, table } = subject.name;
  return entryModel(table ?? design, bounds) ?? entryModel(design.split('+')[0], bounds);
}

/** Those that concern the design of a subject. */
export function sometimesOf(subject: Subject): readonly Sometimes[] {
  return SOMETIMES.filter((s) => s.perTaskEntry !== true || subject.model?.config.perTaskEntry === 1);
}

/** Searches a shortest trace to the situation and replays it, or one of its interleavings, on the emulator. */
export function directedWalk(subject: Subject, sometimes: Sometimes): Directed {
  const { name } = sometimes;
  const model = modelFor(subject, sometimes);
  if (model === undefined) return { kind: 'unreachable', name, why: 'the design has no model' };
  const found = explore(model, { goalTransition: sometimes.goal, deadlock: false });
  if (found.trace === undefined) return { kind: 'unreachable', name, why: 'the abstract machine does not reach it' };
  const walk = concretiseAny(subject.system, interleavings(model, found.trace, sometimes.goal), undefined);
  return walk === undefined
    ? {
        kind: 'unreachable',
        name,
        why: `the emulator does not follow the abstract trace of ${found.trace.length} steps, nor one of its interleavings`,
      }
    : { kind: 'reached', name, length: walk.length };
}
