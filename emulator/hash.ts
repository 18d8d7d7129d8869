/**
 * The state hash: a sum of one mixed term per (place, value). Sums are order-free and can be taken back,
 * so every write updates the hash in constant time. Two lanes of 32 bits
 * make the 64-bit fingerprint. Not cryptographic: nobody attacks it, states only must not collide by structure.
 */

const imul = Math.imul;

/**
 * The first lane's term. For a given place it is a bijection of the value: one changed word always changes the hash.
 */
export function mix(place: number, value: number): number {
  let h = imul(place ^ 0x9e3779b9, 0x85ebca6b) ^ imul(value, 0xc2b2ae35);
  h = imul(h ^ (h >>> 15), 0x2c1b3c6d);
  h = imul(h ^ (h >>> 12), 0x297a2d39);
  return h ^ (h >>> 15);
}

/**
 * The second lane's term, from the first one's: not additive, so equal sums in one lane say nothing about the other.
 */
export function remix(term: number): number {
  const h = imul(term ^ (term >>> 16), 0x7feb352d);
  return h ^ (h >>> 14);
}

/** One lane's sum of the first `count` words at places from `place` on. */
export function hashWords(lane: number, place: number, words: Int32Array, count: number): number {
  let hash = 0;
  for (let i = 0; i < count; i++) {
    const term = mix(place + i, words[i]);
    hash = (hash + (lane === 0 ? term : remix(term))) | 0;
  }
  return hash;
}

/** Two lanes as one exact Number (53 bits): for comparing, not for storing. */
export function joinLanes(lo: number, hi: number): number {
  return (hi & 0x1fffff) * 4294967296 + (lo >>> 0);
}

export function hexLanes(lo: number, hi: number): string {
  return (hi >>> 0).toString(16).padStart(8, '0') + (lo >>> 0).toString(16).padStart(8, '0');
}
