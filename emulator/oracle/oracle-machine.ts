/** A second machine that executes the same guest: what lock-step asks of it. Only the CPU that is selected runs. */
import type { LoadableImage } from '../boot';
import type { Cpu } from '../cpu/cpu';
import type { State } from './architectural-state';

export interface OracleMachine {
  /** RAM from physical address 0 that can be compared, in bytes; above it the other machine has something else. */
  readonly comparableBytes: number;
  /** Loads the image and puts the CPUs into the state that ours have just booted into (../boot). Selects CPU 0. */
  boot(image: LoadableImage, cpus: readonly Cpu[]): Promise<void>;
  /** What is asked for from now on is of this CPU. */
  select(cpu: number): Promise<void>;
  readState(state: State): Promise<void>;
  /** One instruction or one delivery, or nothing at all, which lock-step notices; fills `state` with the result. */
  step(state: State): Promise<void>;
  /** Sets a register by its name in `STATE_NAMES`. */
  writeRegister(name: string, value: bigint): Promise<void>;
  /** Fills `into` from the physical byte address `pa` on. */
  readMemory(pa: number, into: Uint8Array): void;
  /** Writes data: code must not be changed this way, because the other machine may have translated it. */
  writeWord(pa: number, value: number): void;
  raiseNmi(): Promise<void>;
  raiseIrq(vector: number): Promise<void>;
  /** GDTR, IDTR, TR and LDTR by the names of `TABLE_NAMES`. */
  readTables(): Promise<ReadonlyMap<string, bigint>>;
}
