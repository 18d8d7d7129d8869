/** Answers a question about a pointer that is asked much more often than the pointer changes. */
export class LastAnswers {
  private readonly pointers: Float64Array;
  private readonly answers: Int32Array;
  private readonly ask: (pointer: number, owner: number) => number;

  /** `ask` may depend on its arguments and on what never changes. */
  constructor(owners: number, ask: (pointer: number, owner: number) => number) {
    this.pointers = new Float64Array(owners).fill(Number.NaN);
    this.answers = new Int32Array(owners);
    this.ask = ask;
  }

  of(owner: number, pointer: number): number {
    if (this.pointers[owner] !== pointer) {
      this.pointers[owner] = pointer;
      this.answers[owner] = this.ask(pointer, owner);
    }
    return this.answers[owner];
  }
}
