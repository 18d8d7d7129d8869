/**
 * The states of a region, as rows of bits (rows.ts): what steps of the outer CPU do to them, and of which values steps
 * have to be taken.
 */
import { PAGE_BITS } from '../state-set';
import { addRow, isComplete } from './bit-matrix';
import { ALL, ALL_STEPS, CHANGED, DIRTY, NONE, Rows, SOME } from './rows';
import { turnStripe } from './turn';

/** Steps between outer values (bulk-plan.ts). */
export interface Steps {
  readonly order: Int32Array;
  readonly starts: Int32Array;
  readonly targets: Int32Array;
  readonly crossing: Int32Array;
}

export class Layout extends Rows {
  /** Adds a row to one of a layout with the same inner CPU; answers whether there were new bits. */
  add(stripe: number, row: number, to: Layout, other: number): boolean {
    const source = this.kinds[stripe * this.rows + row];
    const slot = stripe * to.rows + other;
    if (source === NONE || to.kinds[slot] === ALL) return false;
    if (source === ALL) {
      to.kinds[slot] = ALL;
      return true;
    }
    const into = to.placeOf(stripe, other);
    if (!addRow(this.words, this.placeOf(stripe, row), to.words, into, this.widthOf(stripe))) return false;
    for (let page = into >>> PAGE_BITS; page <= (into + this.widthOf(stripe) - 1) >>> PAGE_BITS; page++)
      if (to.pages[page] === 0) to.pages[page] = 1;
    to.kinds[slot] = isComplete(to.words, into, to.bitsOf(stripe)) ? ALL : SOME;
    return true;
  }

  /** Are there outer values whose steps have to be taken? */
  isDirty(stripe: number): boolean {
    return this.dirty[stripe] === 1;
  }

  /** Takes marks (ALONG_SKELETON, ALL_STEPS) from an outer value; answers whether it had any of them. */
  clean(stripe: number, value: number, marks: number): boolean {
    const slot = stripe * this.shape.outer + value;
    if ((this.marks[slot] & marks) === 0) return false;
    this.marks[slot] &= ~marks;
    return true;
  }

  /** Is it known that all rows have all bits of the stripe? */
  isFull(stripe: number): boolean {
    return this.full[stripe] === 1;
  }

  /** Is it known that all rows have all bits? */
  get isComplete(): boolean {
    return !this.full.includes(0);
  }

  /** Have the rows of these values all bits of the stripe? Without `inMiddle`: with any value of the middle CPU. */
  haveAll(stripe: number, outerValues: Int32Array, inMiddle?: Int32Array): boolean {
    const { middle } = this.shape;
    const from = stripe * this.rows;
    const count = inMiddle?.length ?? middle;
    for (const value of outerValues)
      for (let i = 0; i < count; i++)
        if (this.kinds[from + value * middle + (inMiddle?.[i] ?? i)] !== ALL) return false;
    return true;
  }

  /** Gives all rows all bits of the stripe. No steps within it have to be taken from then on. */
  complete(stripe: number): void {
    const { outer } = this.shape;
    this.kinds.fill(ALL, stripe * this.rows, (stripe + 1) * this.rows);
    this.marks.fill(CHANGED, stripe * outer, (stripe + 1) * outer);
    this.changed[stripe] = 1;
    this.full[stripe] = 1;
  }

  /**
   * Takes the steps that lead from one outer value to another of a stripe where the rows of the first one have all
   * bits, as often as it takes. Values of `crossing` not below 0 have more steps and stay dirty.
   */
  flood(stripe: number, { order, starts, targets, crossing }: Steps): void {
    const { kinds, marks } = this;
    const { outer, middle } = this.shape;
    const [rowsAt, marksAt] = [stripe * this.rows, stripe * outer];
    for (let more = true; more; ) {
      more = false;
      for (let i = 0; i < order.length; i++) {
        const value = order[i];
        if ((marks[marksAt + value] & DIRTY) === 0 || !this.hasAll(stripe, value)) continue;
        for (let k = starts[value]; k < starts[value + 1]; k++) {
          const row = rowsAt + targets[k] * middle;
          let any = false;
          for (let m = 0; m < middle; m++) {
            any ||= kinds[row + m] !== ALL;
            kinds[row + m] = ALL;
          }
          if (any) this.change(stripe, targets[k]);
        }
        if (crossing[value] >= 0) continue;
        more = true;
        marks[marksAt + value] &= ~ALL_STEPS;
      }
    }
  }

  /** Makes all outer values dirty that have bits. */
  reopen(stripe: number): void {
    const { outer, middle } = this.shape;
    for (let row = 0; row < this.rows; row++)
      if (this.kinds[stripe * this.rows + row] !== NONE)
        this.marks[stripe * outer + Math.floor(row / middle)] |= ALL_STEPS;
    this.dirty[stripe] = 1;
  }

  /**
   * Brings the other layout of the same region up to date with what has changed in a stripe. What is new is dirty
   * there. Writes only those rows of `to` whose outer values are bits of the stripe.
   */
  turnInto(to: Layout, stripe: number): void {
    turnStripe(this, to, stripe);
  }

  /** Have all rows of an outer value all bits of the stripe? */
  private hasAll(stripe: number, value: number): boolean {
    const { middle } = this.shape;
    const row = stripe * this.rows + value * middle;
    for (let m = 0; m < middle; m++) if (this.kinds[row + m] !== ALL) return false;
    return true;
  }
}
