/** The TLB against one that forgets only what must be forgotten: a sample of what scripts/check-tlb.ts does. */
import { TlbTrial } from '../testing/tlb-trial';
import type { Tlb } from './tlb';

/** Uniform numbers in [0, 1) (xorshift32). */
function stream(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x100000000;
  };
}

test.each([1, 2, 3])(
  'every answer is that of the page tables or of a translation that may be held, seed %d',
  (seed) => {
    const trial = new TlbTrial(stream(seed));
    expect(trial.run(10_000)).toBeUndefined();
    expect(trial.accesses).toBeGreaterThan(5000);
    expect(trial.stale).toBeGreaterThan(50);
  },
);

test.each<[what: string, plant: (tlb: Tlb) => void]>([
  ['MOV CR3 forgets nothing', (tlb) => Object.assign(tlb, { flushPcid: () => {} })],
  ['INVLPG forgets nothing', (tlb) => Object.assign(tlb, { invalidatePage: () => {} })],
  ['CR4.PGE forgets nothing', (tlb) => Object.assign(tlb, { flushAll: () => {} })],
  ['INVPCID of type 3 forgets nothing', (tlb) => Object.assign(tlb, { flushAllButGlobal: () => {} })],
])('it is found if %s', (_what, plant) => {
  const trial = new TlbTrial(stream(1), ({ cpu }) => plant(cpu.tlb));
  expect(trial.run(20_000)).toMatch(/expected frame/);
});
