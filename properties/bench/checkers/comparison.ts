/**
 * One size, searched by all contestants in turn: a round has one run of each, so that a busy minute of the machine hits
 * all alike. Every run of every round has to count the same states and transitions, or there is nothing to compare.
 */
import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Spread, spread } from '../statistics';
import type { Answer } from './checker-output';
import type { Contestant, Prepared } from './contestants';
import { type Ran, runProcess } from './run-process';
import type { Size } from './sizes';

export interface Result {
  readonly id: string;
  readonly name: string;
  readonly seconds: Spread;
  /** Of all cores. */
  readonly cpuSeconds: number | undefined;
  /** Of the whole process, resident. */
  readonly peakBytes: number | undefined;
  /** Of the states alone, set and frontier, by the checker's own account. */
  readonly searchBytes: number | undefined;
  readonly vectorBytes?: number;
  readonly recipe: string;
  /** It goes through states; a proof does not. */
  readonly searches: boolean;
}

/** A contestant that does not appear in the table. */
export interface LeftOut {
  readonly size: string;
  readonly name: string;
  readonly reason: string;
}

export interface Comparison {
  readonly size: Size;
  readonly repetitions: number;
  readonly states: number;
  readonly transitions: number;
  readonly results: readonly Result[];
  readonly leftOut: readonly LeftOut[];
}

export class CountsDiffer extends Error {}

interface Lane {
  readonly contestant: Contestant;
  readonly prepared: Prepared;
  readonly runs: Ran[];
}

type Progress = (text: string) => void;

const firstLine = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split('\n')[0];

/** The counts, if they are those of all before. */
export function sameCounts(name: string, expected: Answer | undefined, found: Answer): Answer {
  const inWords = ({ verdict, states, transitions }: Answer) =>
    `${verdict}, ${states} states, ${transitions} transitions`;
  if (found.verdict !== 'holds') throw new CountsDiffer(`${name}: expected that it holds, found ${found.verdict}`);
  // A checker may not know its transitions exactly; its states it does.
  const whole = { ...expected, ...found };
  if (expected === undefined || inWords(expected) === inWords(whole)) return whole;
  throw new CountsDiffer(`${name}: expected ${inWords(expected)} as the checkers before it, found ${inWords(found)}`);
}

export class Race {
  private readonly size: Size;
  private readonly progress: Progress;
  private readonly leftOut: LeftOut[] = [];
  private lanes: Lane[] = [];
  private counts: Answer | undefined;

  constructor(size: Size, progress: Progress) {
    this.size = size;
    this.progress = progress;
  }

  /** Throws CountsDiffer as soon as two checkers disagree; a checker that fails is left out from then on. */
  async run(contestants: readonly Contestant[], repetitions: number, folder: string): Promise<Comparison> {
    for (const contestant of contestants) await this.prepare(contestant, path.join(folder, contestant.id));
    for (let round = 1; round <= repetitions; round++)
      for (const lane of [...this.lanes]) {
        this.say(`round ${round} of ${repetitions}`, lane.contestant);
        await this.attempt(lane.contestant, () => this.measure(lane));
      }
    const { states = 0, transitions = 0 } = this.counts ?? {};
    const { size, leftOut } = this;
    return { size, repetitions, states, transitions, results: this.lanes.map(resultOf), leftOut };
  }

  private async prepare(contestant: Contestant, folder: string): Promise<void> {
    this.say('preparing', contestant);
    await this.attempt(contestant, async () => {
      mkdirSync(folder, { recursive: true });
      this.lanes.push({ contestant, prepared: await contestant.prepare(this.size, folder), runs: [] });
    });
  }

  private async measure({ contestant, prepared, runs }: Lane): Promise<void> {
    await prepared.reset?.();
    const ran = await runProcess(prepared.command);
    this.counts = sameCounts(contestant.name, this.counts, prepared.read(ran.output));
    runs.push(ran);
  }

  private async attempt(contestant: Contestant, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      if (error instanceof CountsDiffer) throw error;
      this.lanes = this.lanes.filter((lane) => lane.contestant !== contestant);
      this.leftOut.push({ size: this.size.name, name: contestant.name, reason: firstLine(error) });
    }
  }

  private say(what: string, { name }: Contestant): void {
    this.progress(`${this.size.name}, ${what}: ${name}`);
  }
}

/** The median of what is known; undefined if nothing is. */
function medianOf(values: readonly (number | undefined)[]): number | undefined {
  const known = values.filter((value) => value !== undefined);
  return known.length === 0 ? undefined : spread(known).median;
}

function resultOf({ contestant, prepared, runs }: Lane): Result {
  return {
    id: contestant.id,
    name: contestant.name,
    seconds: spread(runs.map(({ seconds }) => seconds)),
    cpuSeconds: medianOf(runs.map(({ cpuSeconds }) => cpuSeconds)),
    peakBytes: medianOf(runs.map(({ peakBytes }) => peakBytes)),
    searchBytes: medianOf(runs.map(({ output }) => prepared.read(output).bytes)),
    ...(prepared.vector === undefined ? {} : { vectorBytes: prepared.vector(runs[0].output) }),
    recipe: prepared.recipe,
    searches: runs.some(({ output }) => prepared.read(output).states !== undefined),
  };
}
