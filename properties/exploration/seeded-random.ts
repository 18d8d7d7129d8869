/**
 * The one place that knows seedrandom: every random stream of a campaign starts here. Run r of campaign s draws from
 * the stream `s/r`, so that a run is reproducible alone and in any worker.
 */
import seedrandom from 'seedrandom';

/** The 32-bit integer with which fast-check starts run `run` of the campaign with the given seed (any string). */
export function runSeed(campaignSeed: string, run: number): number {
  return seedrandom(`${campaignSeed}/${run}`).int32();
}

/** Uniform numbers in [0, 1) of the stream with the given seed (any string). */
export function randomStream(seed: string): () => number {
  return seedrandom(seed);
}
