/**
 * Finds words among those that stand at some places of an array. To make a string of them, for a Map, takes longer than
 * a step of the model.
 */

/** Room to begin with; a power of two. */
const FIRST_PLACES = 1 << 10;

const { imul } = Math;

export function hashOf(words: Int32Array, from: number, length: number, seed: number): number {
  let h = seed;
  for (let i = from; i < from + length; i++) {
    h = imul(h ^ words[i], 0x9e3779b1);
    h ^= h >>> 15;
  }
  return h;
}

/** Open addressing; it holds places and hashes, the words stay where they are. */
export class PlaceIndex {
  private readonly within: Int32Array;
  /** -1: free. */
  private places = new Int32Array(FIRST_PLACES).fill(-1);
  private hashes = new Int32Array(FIRST_PLACES);
  private count = 0;

  constructor(within: Int32Array) {
    this.within = within;
  }

  get size(): number {
    return this.count;
  }

  /** The place where the first words of `content` stand, or -1. */
  find(content: Int32Array, length: number): number {
    const { places, hashes } = this;
    const last = places.length - 1;
    const hash = hashOf(content, 0, length, 0);
    let i = hash & last;
    while (places[i] >= 0 && (hashes[i] !== hash || !this.standsAt(places[i], content, length))) i = (i + 1) & last;
    return places[i];
  }

  add(place: number, length: number): void {
    if (2 * ++this.count > this.places.length) this.grow();
    this.insert(place, hashOf(this.within, place, length, 0));
  }

  private standsAt(place: number, content: Int32Array, length: number): boolean {
    for (let i = 0; i < length; i++) if (content[i] !== this.within[place + i]) return false;
    return true;
  }

  private insert(place: number, hash: number): void {
    const last = this.places.length - 1;
    let i = hash & last;
    while (this.places[i] >= 0) i = (i + 1) & last;
    this.places[i] = place;
    this.hashes[i] = hash;
  }

  private grow(): void {
    const { places, hashes } = this;
    this.places = new Int32Array(2 * places.length).fill(-1);
    this.hashes = new Int32Array(2 * places.length);
    for (let i = 0; i < places.length; i++) if (places[i] >= 0) this.insert(places[i], hashes[i]);
  }
}
