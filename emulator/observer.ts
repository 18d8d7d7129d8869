/**
 * What the machine tells whoever checks it. One object per machine and never a list: these calls are on the path of
 * every instruction and stay cheap only while the call site sees one shape. Arguments that are objects are reused: copy
 * what you keep.
 */
import type { Cpu } from './cpu/cpu';
import { type MicroOp, UNOBSERVED } from './micro-op';

/** What an access does. */
type AccessKind = 'read' | 'write' | 'execute';

/**
 * A fault as data: `error` is NO_ERROR_CODE when the vector pushes none. The address is the one that goes to CR2 for a
 * #PF.
 */
export interface Fault {
  /** The exception's vector. */
  vector: number;
  /** Its error code, or -1. */
  error: number;
  /** Low word of the address. */
  addressLo: number;
  /** High word of the address. */
  addressHi: number;
  /** The access that failed. */
  access: AccessKind;
  /** The processor's own access (descriptor tables, TSS, delivery pushes), a supervisor one whatever CPL says. */
  implicit: boolean;
  /** The privilege level at which it was raised. */
  cpl: number;
}

/** What raised the event of a delivery. */
export type EventSource = 'fault' | 'trap' | 'abort' | 'nmi' | 'irq' | 'software';

/** A delivery through the IDT. */
export interface Delivery {
  /** The vector. */
  vector: number;
  /** What raised it. */
  source: EventSource;
  /** The gate's IST, 0 for none. */
  ist: number;
  /** The error code that is pushed, or -1. */
  error: number;
}

export interface Observer {
  /** Asked once per decoded instruction; the answer is kept in `MicroOp.tag`. */
  classify(va: number): number;
  /**
   * Asked once per decoded instruction, too, where it is there: the calls of WITHOUT_EXECUTING and WITHOUT_RETIRED that
   * this instruction can do without. It still tells `retired` while an event is pending.
   */
  unobserved?(op: MicroOp): number;
  /** Fetched, not yet executed. */
  executing(cpu: Cpu, op: MicroOp): void;
  /** Completed without fault (one iteration of a repeated string instruction counts as one). */
  retired(cpu: Cpu, op: MicroOp): void;
  /** Before each implicit stack access; `lo/hi` is its lowest byte. */
  stackAccess(cpu: Cpu, lo: number, hi: number, bytes: number, write: boolean): void;
  /**
   * Several pushes, or several pops, are about to access `bytes` bytes from `lo/hi` on, one after the other; `pa` is
   * the physical address if they write to a watched page, else -1. True: no more is to be told of them. If it is not
   * there, each is told by itself.
   */
  joinedAccess?(cpu: Cpu, lo: number, hi: number, bytes: number, pa: number, write: boolean): boolean;
  /** After a store to a watched physical page. */
  watchedStore(cpu: Cpu, pa: number, bytes: number, vaLo: number, vaHi: number): void;
  /** A fault was raised, by an instruction or within a delivery; registers are those of the faulting instruction. */
  faulted(cpu: Cpu, fault: Fault): void;
  /** Before any change that the delivery makes. `ist` is not known yet and reads 0. */
  delivering(cpu: Cpu, event: Delivery): void;
  /** RIP is at the handler's first instruction. */
  delivered(cpu: Cpu, event: Delivery): void;
  /** An NMI arrived while NMIs are blocked and is now pending. */
  nmiLatched(cpu: Cpu): void;
  shutdown(cpu: Cpu): void;
}

class NullObserver implements Observer {
  classify(_va: number): number {
    return 0;
  }
  unobserved(): number {
    return UNOBSERVED;
  }
  executing(_cpu: Cpu, _op: MicroOp): void {}
  retired(_cpu: Cpu, _op: MicroOp): void {}
  stackAccess(_cpu: Cpu, _lo: number, _hi: number, _bytes: number, _write: boolean): void {}
  joinedAccess(): boolean {
    return true;
  }
  watchedStore(_cpu: Cpu, _pa: number, _bytes: number, _vaLo: number, _vaHi: number): void {}
  faulted(_cpu: Cpu, _fault: Fault): void {}
  delivering(_cpu: Cpu, _event: Delivery): void {}
  delivered(_cpu: Cpu, _event: Delivery): void {}
  nmiLatched(_cpu: Cpu): void {}
  shutdown(_cpu: Cpu): void {}
}

export const NULL_OBSERVER: Observer = new NullObserver();
