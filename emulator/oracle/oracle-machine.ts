/** A second machine with one CPU that executes the same guest: what lock-step asks of it. */
import type { LoadableImage } from '../boot';
import type { Cpu } from '../cpu/cpu';
import type { State } from './architectural-state';

export interface OracleMachine {
  /** RAM from physical address 0 that can be compared, in bytes; above it the other machine has something else. */
  readonly comparableBytes: number;
  /** Loads the image and puts the CPU into the state that `cpu`, ours, has just booted into (../boot). */
  boot(image: LoadableImage, cpu: Cpu): Promise<void>;
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
