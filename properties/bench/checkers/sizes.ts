/** The sizes at which checkers are compared, each a set of bounds of the same design. */
import type { OpenBounds } from '../../../model/checker/language/schema-types';

export const DESIGN = 'mainline';

export interface Size {
  readonly name: string;
  readonly bounds: OpenBounds;
  /** Roughly; what tables are made for. */
  readonly states: number;
  /**
   * More than the longest path without a repetition that a depth-first search meets; its stack is written in advance,
   * so not much more.
   */
  readonly searchDepth: number;
  /** What our search may take. */
  readonly memoryMiB: number;
  readonly repetitions: number;
  /** Checkers that would take hours. */
  readonly without: readonly string[];
}

/** Those that go through the states one by one. */
const ONE_BY_ONE = ['spin-dfs', 'spin-bfs', 'spin-2', 'spin-collapse', 'spin-ma', 'rumur-1', 'rumur-2'];

const COMMON = { cpus: 2, mms: 1, nesting: 2 };

export const SIZES: readonly Size[] = [
  {
    name: '1M',
    bounds: { ...COMMON, tasks: 2, nmis: 1, irqs: 2 },
    states: 0.86e6,
    searchDepth: 10_000,
    memoryMiB: 2048,
    repetitions: 5,
    without: [],
  },
  {
    name: '6M',
    bounds: { ...COMMON, tasks: 2, nmis: 2, irqs: 3 },
    states: 5.85e6,
    searchDepth: 10_000,
    memoryMiB: 2048,
    repetitions: 5,
    without: [],
  },
  {
    name: '50M',
    bounds: { ...COMMON, tasks: 3, nmis: 2, irqs: 2 },
    states: 56.4e6,
    searchDepth: 100_000,
    memoryMiB: 8192,
    repetitions: 1,
    without: ['spin-ma', 'rumur-1', 'rumur-2'],
  },
  {
    name: 'any',
    bounds: { ...COMMON, tasks: 2, nesting: 'any', nmis: 'any', irqs: 'any' },
    states: 113e6,
    searchDepth: 1_000_000,
    memoryMiB: 2048,
    repetitions: 5,
    without: ONE_BY_ONE,
  },
];

/** Base-2 logarithm of the slots of a hash table in which the states have room and chains stay short. */
export function slotsLog({ states }: Size): number {
  return Math.ceil(Math.log2(1.4 * states));
}
