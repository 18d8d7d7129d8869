/**
 * The machine: RAM, CPUs, and the operations that a checker drives them with: step, raise an event, mark, roll back,
 * fingerprint. It is deterministic: what happens is a function of the image, of which CPU is stepped, of the events
 * raised, and of `choose`.
 */

import { type BootOptions, bootCpu, type LoadableImage, loadImage } from './boot';
import { CodeCache } from './cpu/code-cache';
import { Cpu } from './cpu/cpu';
import { hashWords, hexLanes, joinLanes } from './hash';
import { PhysicalMemory } from './memory/physical-memory';
import { MAX_CPUS } from './memory/undo-log';
import { type Leaf, leavesOf, type MappedLeaf, readVirtual64, translateVa } from './mmu/table-view';
import { NULL_OBSERVER, type Observer } from './observer';
import type { Platform } from './platform';
import { SnapshotStack } from './snapshots';
import { stepCpu } from './step';
import { HALTED, RETIRED, type StepResult } from './step-result';
import { Bus } from './system/bus';
import { GUEST_PLATFORM } from './system/guest-platform';
import { requestInterrupt } from './system/local-apic';
import { raiseMachineCheck } from './system/machine-check';
import { raiseNmi } from './system/nmi-line';

const DEFAULT_RAM = 4 << 20;
/** Places of the platform's words in the hash, above those of all CPUs. */
const PLATFORM_PLACE = 0x50000000;

interface MachineOptions {
  cpus: number;
  ramBytes?: number;
  /** Of this machine alone if it has state; the machine of the entry code under test if it is left out. */
  platform?: Platform;
}

export class Machine {
  readonly memory: PhysicalMemory;
  readonly cpus: readonly Cpu[];
  readonly platform: Platform;
  /** The choice port: answers 0..alternatives-1. */
  choose: (cpu: Cpu, alternatives: number) => number = () => 0;
  /** Set by an observer or anybody: `run` returns at the next boundary. */
  stop = false;
  /** Boundaries that the last `run` has taken, without one at which it has thrown. */
  boundaries = 0;
  private readonly image: LoadableImage;
  private readonly codeCache: CodeCache;
  private readonly snapshots: SnapshotStack;
  private currentObserver: Observer = NULL_OBSERVER;

  constructor(image: LoadableImage, options: MachineOptions) {
    if (!Number.isInteger(options.cpus) || options.cpus < 1 || options.cpus > MAX_CPUS) {
      throw new RangeError(`the number of CPUs must be 1 to ${MAX_CPUS}, got ${options.cpus}`);
    }
    this.image = image;
    this.memory = new PhysicalMemory(options.ramBytes ?? DEFAULT_RAM);
    this.codeCache = new CodeCache(this.memory);
    const platform = options.platform ?? GUEST_PLATFORM;
    this.platform = platform;
    const cpus: Cpu[] = [];
    const bus = new Bus(this, platform, cpus);
    for (let c = 0; c < options.cpus; c++) cpus.push(new Cpu(c, this.memory, bus, this.codeCache, platform));
    this.cpus = cpus;
    this.snapshots = new SnapshotStack(this.memory, cpus);
    for (const words of [...cpus.map(({ x }) => x), platform.words]) {
      if (words.length > 0) this.snapshots.attach(words);
    }
    platform.connect(cpus, () => {
      this.stop = true;
    });
    loadImage(this.memory, image);
  }

  get observer(): Observer {
    return this.currentObserver;
  }

  /** Decoded instructions carry the classification of the observer that saw them first, so they go. */
  set observer(observer: Observer) {
    this.currentObserver = observer;
    this.codeCache.clear();
    for (const cpu of this.cpus) {
      cpu.observer = observer;
      cpu.dropCode();
    }
  }

  /** Puts CPU c at the image's entry point; see ./boot for the state it finds. */
  boot(c: number, options: BootOptions): void {
    bootCpu(this.cpus[c], this.image, options);
  }

  step(c: number): StepResult {
    return stepCpu(this.cpus[c]);
  }

  run(c: number, max: number): StepResult {
    const cpu = this.cpus[c];
    let result: StepResult = RETIRED;
    this.stop = false;
    let n = 0;
    try {
      while (n < max) {
        result = stepCpu(cpu, max - n);
        n++;
        if (cpu.ahead !== 0) {
          n += cpu.ahead;
          cpu.ahead = 0;
        }
        if (result >= HALTED || this.stop) break;
      }
    } finally {
      this.boundaries = n;
    }
    return result;
  }

  raiseNmi(c: number): void {
    raiseNmi(this.cpus[c]);
  }

  /** A machine check at the next boundary; what then happens is in `system/machine-check.ts`. */
  raiseMachineCheck(c: number): void {
    raiseMachineCheck(this.cpus[c]);
  }

  raiseIrq(c: number, vector: number): void {
    requestInterrupt(this.cpus[c], vector);
  }

  attachState(words: Int32Array): void {
    this.snapshots.attach(words);
  }

  /** Remembers this state. Marks nest. */
  mark(): number {
    return this.snapshots.mark();
  }

  /** Returns to a mark, which stays usable; newer marks are gone. */
  rollback(mark: number): void {
    this.snapshots.rollback(mark);
  }

  /** Forgets a mark and newer ones without changing the state. */
  release(mark: number): void {
    this.snapshots.release(mark);
  }

  /** Sixteen hex digits over RAM and everything in the CPUs that can influence what happens next. */
  fingerprint(): string {
    let lo = this.memory.hashLo;
    let hi = this.memory.hashHi;
    for (const cpu of this.cpus) {
      lo = (lo + cpu.registersLane(0) + cpu.tlb.hash(0)) | 0;
      hi = (hi + cpu.registersLane(1) + cpu.tlb.hash(1)) | 0;
    }
    const { words } = this.platform;
    lo = (lo + hashWords(0, PLATFORM_PLACE, words, words.length)) | 0;
    hi = (hi + hashWords(1, PLATFORM_PLACE, words, words.length)) | 0;
    return hexLanes(lo, hi);
  }

  memoryHash(): number {
    return joinLanes(this.memory.hashLo, this.memory.hashHi);
  }

  registersHash(c: number): number {
    return joinLanes(this.cpus[c].registersLane(0), this.cpus[c].registersLane(1));
  }

  tlbHash(c: number): number {
    return joinLanes(this.cpus[c].tlb.hash(0), this.cpus[c].tlb.hash(1));
  }

  /** Software walk from the PML4 at physical `root`. */
  translate(root: number, va: number): Leaf | undefined {
    return translateVa(this.memory, root, va);
  }

  leaves(root: number, fromVa?: number): Iterable<MappedLeaf> {
    return leavesOf(this.memory, root, fromVa);
  }

  readVirtual64(root: number, va: number): { lo: number; hi: number } | undefined {
    return readVirtual64(this.memory, root, va);
  }
}
