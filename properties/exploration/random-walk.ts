/**
 * One random walk: options are drawn among those that are enabled, because a drawn action that cannot happen teaches
 * nothing. The walk is a pure function of the system's initial state and of the generator.
 */
import type { Option, TransitionSystem } from '../trace/transition-system';
import { initialFailure, Trail, type Walk } from '../trace/walk';

/** The part of fast-check's generator that a walk draws from. */
interface Draws {
  nextInt(min: number, max: number): number;
}

/**
 * How likely an option is, relative to the others. Events are rarer than steps: a context needs room to get somewhere.
 */
const WEIGHTS = { step: 12, part: 4, run: 0, irq: 1, nmi: 1 } as const;
/** Parts of a step are drawn in this many grains. */
const GRAINS = 64;
/**
 * Mean numbers of actions on one CPU before the walk looks at another: usually, and after the other stopped in the
 * middle of a step.
 */
const SHORT_FOCUS = 8;
const LONG_FOCUS = 32;
/** Further actions after a divergence. */
const AFTER_DIVERGENCE = 500;

/** The option to stop after `grain` of the GRAINS of a step; each is made once. */
function part(cpu: number, grain: number): Option {
  PARTS[cpu] ??= [];
  PARTS[cpu][grain] ??= { kind: 'part', cpu, fraction: grain / GRAINS };
  return PARTS[cpu][grain];
}

const PARTS: Option[][] = [];

function weigh(options: readonly Option[]): number {
  let sum = 0;
  for (const option of options) sum += WEIGHTS[option.kind];
  return sum;
}

/** Adds the stutters: every CPU that can step can also stop on the way to its next transition. */
function withParts(options: readonly Option[], draws: Draws): Option[] {
  const all: Option[] = [];
  for (const option of options) {
    all.push(option);
    if (option.kind === 'step') all.push(part(option.cpu, draws.nextInt(1, GRAINS)));
  }
  return all;
}

function pick(options: readonly Option[], draws: Draws): Option {
  let at = draws.nextInt(0, weigh(options) - 1);
  for (const option of options) {
    at -= WEIGHTS[option.kind];
    if (at < 0) return option;
  }
  return options[options.length - 1];
}

/**
 * The CPU on which the walk stays for a while. A race needs one CPU to stand still in a short window while another goes
 * a long way; a fresh draw for every action would make that exponentially rare (Burckhardt et al., "A Randomized
 * Scheduler with Probabilistic Guarantees of Finding Bugs", 2010).
 */
class Focus {
  private readonly draws: Draws;
  private readonly cpus: number;
  private cpu: number;
  private mean: number = SHORT_FOCUS;

  constructor(draws: Draws, cpus: number) {
    this.draws = draws;
    this.cpus = cpus;
    this.cpu = draws.nextInt(0, cpus - 1);
  }

  /**
   * A CPU that stopped in the middle of a step is worth looking away from, and for long enough that another gets
   * somewhere.
   */
  lookAway(): void {
    if (this.draws.nextInt(0, 1) === 0) return;
    this.cpu = this.draws.nextInt(0, this.cpus - 1);
    this.mean = LONG_FOCUS;
  }

  narrow(options: readonly Option[]): readonly Option[] {
    if (this.draws.nextInt(1, this.mean) === 1) {
      this.cpu = this.draws.nextInt(0, this.cpus - 1);
      this.mean = SHORT_FOCUS;
    }
    const own: Option[] = [];
    let steps = false;
    for (const option of options) {
      if (option.cpu !== this.cpu) continue;
      own.push(option);
      steps ||= option.kind === 'step';
    }
    return steps ? own : options;
  }
}

/**
 * Walks at most `steps` actions from the initial state, which it restores first. Ends early at a violation, and where
 * nothing is enabled. After a divergence the walk goes on without refinement, and for longer, because a violated
 * property says more.
 */
export function randomWalk(system: TransitionSystem, draws: Draws, steps: number): Walk {
  system.reset();
  const before = initialFailure(system);
  if (before !== undefined) return before;
  const trail = new Trail();
  const focus = new Focus(draws, system.cpus);
  for (let i = 0; i < (trail.hasDiverged ? steps + AFTER_DIVERGENCE : steps); i++) {
    const options = focus.narrow(withParts(system.options(), draws));
    if (options.length === 0) break;
    const { action, outcome } = system.take(pick(options, draws), (alternatives) => draws.nextInt(0, alternatives - 1));
    const ended = outcome.kind === 'disabled' ? undefined : trail.add(action, outcome);
    if (ended !== undefined) return ended;
    if (action.action === 'run') focus.lookAway();
  }
  return trail.end();
}
