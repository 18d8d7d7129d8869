/**
 * Batches of vectors on our machine and on QEMU: the driver executes them on both, then all that it has written down is
 * compared, and the pages that the instructions may write.
 */
import type { Machine } from '../../machine';
import { IN_HLT, RIP } from '../../registers';
import { HALTED } from '../../step-result';
import { STATE_WORDS, type State } from '../architectural-state';
import {
  driverPhysical,
  driverSymbol,
  IN,
  IN_SIZE,
  kernelAddress,
  OUT,
  OUT_SIZE,
  vectorMachine,
  WRITABLE_BYTES,
  WRITABLE_PA,
} from './vector-layout';

/** More steps than any vector takes with its driver. */
const STEPS = 400;

/** What batches ask of the other machine. */
export interface VectorOracle {
  load(machine: Machine): Promise<void>;
  writeBytes(pa: number, bytes: Uint8Array): void;
  readMemory(pa: number, into: Uint8Array): void;
  writeRegister(name: string, value: bigint): Promise<void>;
  runTo(va: bigint, events: readonly [], state: State): Promise<void>;
}

interface BatchResult {
  /** Records of the driver, `OUT_SIZE` bytes each. */
  readonly ours: Buffer;
  readonly theirs: Buffer;
  /** The pages that the instructions may write are the same. */
  readonly sameMemory: boolean;
}

export class VectorBatches {
  private machine: Machine = vectorMachine();
  private readonly oracle: VectorOracle;
  private readonly state = new Int32Array(STATE_WORDS);
  private ram: Buffer;
  private readonly data = Buffer.alloc(WRITABLE_BYTES);

  constructor(oracle: VectorOracle) {
    this.oracle = oracle;
    this.ram = ramOf(this.machine);
  }

  /** Makes both machines new. To be called first. */
  load(): Promise<void> {
    this.machine = vectorMachine();
    this.ram = ramOf(this.machine);
    return this.oracle.load(this.machine);
  }

  async run(records: Buffer): Promise<BatchResult> {
    const count = records.length / IN_SIZE;
    const variables = this.variables(count);
    this.runOurs(records, variables);
    const { oracle } = this;
    oracle.writeBytes(IN, records);
    for (const [pa, value] of variables) oracle.writeBytes(pa, word(value));
    await oracle.writeRegister('rip', driverSymbol('start'));
    await oracle.runTo(driverSymbol('done'), [], this.state);
    const theirs = Buffer.alloc(count * OUT_SIZE);
    oracle.readMemory(OUT, theirs);
    oracle.readMemory(WRITABLE_PA, this.data);
    return {
      ours: Buffer.from(this.ram.subarray(OUT, OUT + theirs.length)),
      theirs,
      sameMemory: this.data.equals(this.ourData()),
    };
  }

  /**
   * The number of the first vector after which those pages differ, from 0, in a batch that makes them differ.
   * Afterwards both have ours.
   */
  async firstStore(records: Buffer, before: Buffer): Promise<number> {
    let same = 0;
    let different = records.length / IN_SIZE;
    while (different - same > 1) {
      const middle = (same + different) >> 1;
      this.restore(before);
      const { sameMemory } = await this.run(records.subarray(0, middle * IN_SIZE));
      if (sameMemory) same = middle;
      else different = middle;
    }
    this.restore(before);
    this.runOurs(records, this.variables(records.length / IN_SIZE));
    this.restore(this.save());
    return different - 1;
  }

  /** Those pages, to go back to them. */
  save(): Buffer {
    return Buffer.from(this.ourData());
  }

  /** Makes the data pages of both machines these. */
  private restore(data: Buffer): void {
    this.machine.memory.writeBytes(WRITABLE_PA, data);
    this.oracle.writeBytes(WRITABLE_PA, data);
  }

  private ourData(): Buffer {
    return this.ram.subarray(WRITABLE_PA, WRITABLE_PA + WRITABLE_BYTES);
  }

  private variables(count: number): [pa: number, value: bigint][] {
    return [
      [driverPhysical('next_in'), kernelAddress(IN)],
      [driverPhysical('next_out'), kernelAddress(OUT)],
      [driverPhysical('remaining'), BigInt(count)],
    ];
  }

  private runOurs(records: Buffer, variables: readonly [number, bigint][]): void {
    const { machine } = this;
    const [cpu] = machine.cpus;
    machine.memory.writeBytes(IN, records);
    for (const [pa, value] of variables) machine.memory.writeBytes(pa, word(value));
    cpu.r[IN_HLT] = 0;
    cpu.set64(RIP, driverSymbol('start'));
    const steps = (records.length / IN_SIZE + 1) * STEPS;
    if (machine.run(0, steps) !== HALTED) throw new Error('expected the driver at its end, found it somewhere else');
  }
}

function ramOf({ memory: { words } }: Machine): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength);
}

function word(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(value);
  return bytes;
}
