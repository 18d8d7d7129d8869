/**
 * The tasks of a campaign. A worker keeps the booted subjects, so that a campaign of many small tasks boots each image
 * once a worker, and every task starts from the state after boot: which worker gets which task is not visible in any
 * answer.
 */
import { readFileSync } from 'node:fs';
import { imageHash } from '../../counterexamples/format';
import { imageFile } from '../designs/images';
import { Coverage, sweep } from '../exploration/sweep';
import { unchecked } from '../refinement/unchecked';
import { toCounterexample } from './case';
import { type Failure, shrinkFailure, unshrunk } from './failure';
import { openSubject } from './open-subject';
import { campaignRun, type FailedWalk } from './run';
import { directedWalk, sometimesOf } from './sometimes';
import type { Subject, SubjectName } from './subject';
import {
  type Answers,
  type CampaignTask,
  type DirectedTask,
  type Found,
  type Opened,
  type Provenance,
  RUNS_AFTER_DIVERGENCE,
  type RunDone,
  type RunsDone,
  type RunsTask,
  type ShouldStop,
  type ShrinkTask,
  type SweepDone,
  type SweepTask,
} from './tasks';

const subjects = new Map<string, Subject>();

function subjectOf(name: SubjectName): Subject {
  const { design, table, elf, boot } = name;
  const key = JSON.stringify([design, table, elf && imageHash(elf.bytes), boot && [boot.cpus, boot.tasks, boot.mms]]);
  const known = subjects.get(key) ?? openSubject(name);
  subjects.set(key, known);
  return known;
}

function open(name: SubjectName): Opened {
  const subject = subjectOf(name);
  return {
    bounds: subject.bounds,
    sometimes: sometimesOf(subject).map((s) => s.name),
    unchecked: unchecked(subject.guest.manifest),
  };
}

function directed(task: DirectedTask): Answers['directed'] {
  const subject = subjectOf(task.subject);
  const sometimes = sometimesOf(subject).find((s) => s.name === task.name);
  if (sometimes === undefined) throw new RangeError(`no sometimes property ${task.name}`);
  return directedWalk(subject, sometimes);
}

function runs(task: RunsTask, shouldStop: ShouldStop): RunsDone {
  const subject = subjectOf(task.subject);
  const done: RunDone[] = [];
  let diverged: RunsDone['diverged'];
  for (let k = task.first; k < task.first + task.count; k++) {
    if (shouldStop() || Atomics.load(task.last, 0) < k) break;
    const { failed, steps, instructions } = campaignRun(subject, task.seed, task.offset + k * task.stride);
    done.push({ k, steps, instructions });
    if (failed === undefined) continue;
    if (failed.walk.failure?.kind === 'diverged') {
      diverged ??= { k, found: asFound(subject, failed, task) };
      lower(task.last, k + RUNS_AFTER_DIVERGENCE);
      continue;
    }
    lower(task.last, k);
    return { runs: done, found: asFound(subject, failed, task), ...(diverged === undefined ? {} : { diverged }) };
  }
  return { runs: done, ...(diverged === undefined ? {} : { diverged }) };
}

/** Sets a shared word to the smaller of its value and `k`. */
function lower(word: Int32Array, k: number): void {
  for (let seen = Atomics.load(word, 0); k < seen; seen = Atomics.load(word, 0))
    if (Atomics.compareExchange(word, 0, seen, k) === seen) return;
}

/** What was found, as it was found. */
function asFound(subject: Subject, failed: FailedWalk, provenance: Provenance): Found {
  return foundOf(subject, failed, unshrunk(subject, failed), provenance);
}

function foundOf(subject: Subject, failed: FailedWalk, failure: Failure, { seed, date }: Provenance): Found {
  const { elf, design } = subject.name;
  const bytes = elf === undefined ? readFileSync(imageFile(design)) : elf.bytes;
  return { failed, failure, counterexample: toCounterexample(subject, failure, seed, bytes, date) };
}

function shrink(task: ShrinkTask, shouldStop: ShouldStop): Found {
  const subject = subjectOf(task.subject);
  const { failed, progress } = task;
  try {
    const failure = shrinkFailure(subject, failed, {
      shouldStop: () => shouldStop() || Atomics.load(task.halt, 0) !== 0,
      ...(progress === undefined
        ? {}
        : { onBetter: (better) => progress.postMessage(foundOf(subject, failed, better, task)) }),
    });
    return foundOf(subject, failed, failure, task);
  } finally {
    progress?.close();
  }
}

function sweepAll(task: SweepTask, shouldStop: ShouldStop): SweepDone {
  const subject = subjectOf(task.subject);
  const pairs = new Coverage();
  const { failure } = sweep(subject.system, pairs, shouldStop);
  const coverage = { hit: pairs.hit, of: pairs.of };
  return failure === undefined
    ? { coverage }
    : { coverage, found: asFound(subject, { walk: failure, strategy: 'sweep', run: 0 }, task) };
}

export function campaignAnswer(task: CampaignTask, shouldStop: ShouldStop): Answers[CampaignTask['kind']] {
  switch (task.kind) {
    case 'open':
      return open(task.subject);
    case 'directed':
      return directed(task);
    case 'runs':
      return runs(task, shouldStop);
    case 'sweep':
      return sweepAll(task, shouldStop);
    case 'shrink':
      return shrink(task, shouldStop);
  }
}
