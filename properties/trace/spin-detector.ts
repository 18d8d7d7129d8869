/**
 * Notices that a CPU goes round in a circle: samples of a hash of its state, compared with a reference that moves at
 * powers of two (Brent's cycle detection).
 */
export class SpinDetector {
  #reference: number | undefined;
  #samples = 0;
  #moveAt = 1;

  repeats(hash: number): boolean {
    if (hash === this.#reference) return true;
    if (++this.#samples === this.#moveAt) {
      this.#reference = hash;
      this.#moveAt *= 2;
    }
    return false;
  }
}
