/**
 * How many CPUs, tasks and address spaces the system of a proof needs so that it has all that a system of any size can
 * do in one step. A step is about the names that the view mentions, the arguments of the rule, and one more for each
 * quantifier: the one because of which `exists` holds or `every` does not. docs/proof.md has the argument.
 */
import type { Bounds } from '../language/schema-types';
import { everyExpression, everyPart } from '../translate/guarded-rules';
import type { Expr, Program } from '../translate/ir';
import type { NameCounts } from './names';

/** What one rule or invariant speaks of besides the names of a view. */
interface Spoken {
  readonly cpus: number;
  readonly mms: number;
  readonly tasks: number;
}

/** Quantifiers by the number of values that they run over. A number that two sorts share counts for both. */
function quantified(each: (visit: (part: Expr) => void) => void, { cpus, tasks, mms }: Bounds): Spoken {
  const spoken = { cpus: 0, mms: 0, tasks: 0 };
  each((part) => {
    if (part.kind !== 'exists' && part.kind !== 'every') return;
    const count = part.count.kind === 'int' ? part.count.value : -1;
    if (count === cpus || count === tasks + cpus) spoken.cpus++;
    if (count === tasks || count === tasks + cpus) spoken.tasks++;
    if (count === mms) spoken.mms++;
  });
  return spoken;
}

function spokenOf({ rules, invariants, bounds }: Program): Spoken {
  const ofRules = rules.map(({ body, params }) => {
    const { cpus, mms, tasks } = quantified((visit) => everyExpression(body, visit), bounds);
    const params_ = (...sorts: string[]) => params.filter(({ sort }) => sorts.includes(sort)).length;
    return {
      cpus: cpus + Math.max(0, params_('cpu') - 1),
      mms: mms + params_('mm'),
      tasks: tasks + params_('thread', 'task'),
    };
  });
  const ofInvariants = invariants.map(({ condition }) => quantified((visit) => everyPart(condition, visit), bounds));
  const all = [...ofRules, ...ofInvariants];
  const most = (of: (spoken: Spoken) => number) => Math.max(0, ...all.map(of));
  // A task may bring an address space of its own.
  return {
    cpus: most(({ cpus }) => cpus),
    mms: most(({ mms, tasks }) => mms + tasks),
    tasks: most(({ tasks }) => tasks),
  };
}

/** The least sizes that have room for every step of views that mention so many names. */
export function sizesFor(program: Program, names: NameCounts): Pick<Bounds, 'cpus' | 'tasks' | 'mms'> {
  const spoken = spokenOf(program);
  const { bounds } = program;
  const mms = bounds.mms === 0 ? 0 : names.mms + spoken.mms;
  const ofOneMm = names.tasksOfOneMm + spoken.tasks;
  return {
    cpus: names.cpus + Math.max(1, spoken.cpus),
    mms,
    tasks: bounds.tasks === 0 ? 0 : ofOneMm * Math.max(1, mms),
  };
}
