/** A second machine that runs the same guest without being looked at on the way: what epochs ask of it. */
import type { Machine } from '../machine';
import type { State } from './architectural-state';
import type { OracleMachine } from './oracle-machine';
import type { Choices } from './qemu-choices';

/** An NMI, or an interrupt by its vector. */
export type OracleEvent = 'nmi' | number;

export interface EpochMachine extends OracleMachine {
  /** What choices answer from now on. */
  setChoices(choices: Choices): Promise<void>;
  /**
   * Raises events and runs until the instruction at `va` is the next one for the first time, with no event due before
   * it. It must be another one than now. With an NMI, interrupts are raised one step later: when it has been delivered.
   * Fills `state` with the result.
   */
  runTo(va: bigint, events: readonly OracleEvent[], state: State): Promise<void>;
  /** The HLT that is next is over, and the CPU sleeps. */
  passHalt(): Promise<void>;
  /** As it was before anything was loaded. */
  restart(): Promise<void>;
  /** Are all CPUs in a state that can be loaded? */
  canLoad(machine: Machine): boolean;
  /** Puts this machine into the state of another one that can be loaded. Selects CPU 0. */
  load(machine: Machine): Promise<void>;
}
