/**
 * Scenes on our machine and on another one, in lock-step. What the two are known to do differently is repaired step by
 * step (../accepted-differences); where the other machine goes another way altogether the scene ends, and a row of
 * ../accepted-divergences has to say why.
 */
import { UnimplementedError } from '../../unimplemented';
import type { Difference } from '../accepted-differences';
import { explainDivergence } from '../accepted-divergences';
import { LockstepError } from '../both-machines';
import type { EpochMachine } from '../epoch-machine';
import { Lockstep } from '../lockstep';
import type { Step } from '../observed-cpu';
import { loadScene, type Scene, sceneMachine } from './scene';

type SceneEnd =
  /** All steps were done. */
  | { readonly kind: 'done' }
  /** Ours refuses an instruction or a form of one. */
  | { readonly kind: 'refused'; readonly message: string }
  /** A triple fault, or a CPU that nothing would wake: there is nothing to compare. */
  | { readonly kind: 'stopped' }
  | { readonly kind: 'diverged'; readonly name: string }
  | { readonly kind: 'difference'; readonly differences: readonly Difference[]; readonly step: number };

interface SceneResult {
  readonly end: SceneEnd;
  readonly steps: number;
  /** Delivered ones. */
  readonly events: number;
  readonly faults: number;
  /** Differences that were repaired, by name. */
  readonly accepted: ReadonlyMap<string, number>;
}

export class SceneRun {
  readonly machine = sceneMachine();
  /** The step that was done last. */
  last: Step | undefined;
  private readonly oracle: EpochMachine;

  constructor(oracle: EpochMachine) {
    this.oracle = oracle;
  }

  async run(scene: Scene): Promise<SceneResult> {
    const { machine, oracle } = this;
    loadScene(machine, scene);
    await oracle.load(machine);
    const options = { steps: 0, nmiRate: 0, irqRate: 0, switchRate: 0, interval: scene.steps };
    const guest = { cpus: 1, tasks: 0, mms: 0, random: () => 1, vectors: [0x20] };
    const run = new Lockstep(machine, oracle, { ...options, ...guest }, () => 0, true);
    this.last = run.last;
    const end = await this.finish(run, scene);
    const { steps, nmis, irqs, faults, accepted } = run.counts;
    return { end, steps, events: nmis + irqs, faults, accepted };
  }

  private async finish(run: Lockstep, scene: Scene): Promise<SceneEnd> {
    try {
      return await this.segments(run, scene);
    } catch (error) {
      if (error instanceof UnimplementedError) return { kind: 'refused', message: error.message };
      if (error instanceof LockstepError) return { kind: 'refused', message: error.message };
      throw error;
    }
  }

  private async segments(run: Lockstep, { events, steps }: Scene): Promise<SceneEnd> {
    for (let step = 0; step < steps; ) {
      for (const event of events) if (event.step === step) await run.raise(event.raise);
      const later = events.map((event) => event.step).filter((at) => at > step);
      step = Math.min(steps, ...later);
      const end = await run.go(step);
      if (end === undefined) continue;
      if (end.reason !== 'difference') return { kind: 'stopped' };
      const row = explainDivergence(run.last, end.differences);
      if (row !== undefined) return { kind: 'diverged', name: row.name };
      return { kind: 'difference', differences: end.differences, step: end.step };
    }
    return { kind: 'done' };
  }
}
