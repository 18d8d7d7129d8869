/**
 * What is measured, each as a set-up that answers a function for one round. A round answers a number in the unit of its
 * measurement. All of them use `mainline`; the system-call loop is CPU 0 with every choice answered 0: the user program
 * makes a system call, which returns by SYSRET, for ever.
 */
import { NULL_OBSERVER } from '../../emulator/observer';
import { qemuVersion } from '../../emulator/oracle/qemu-process';
import { ICOUNT } from '../../emulator/registers';
import { campaignRun } from '../campaign/run';
import { Subject } from '../campaign/subject';
import { designImage } from '../designs/images';
import { Coverage, SCENARIOS, sweep } from '../exploration/sweep';
import { bootGuest, type Guest } from '../monitor/guest';
import { emulatorSpeed, QEMU, qemuSpeed } from './system-call-loop';

/** Measures once, in the unit of its measurement. */
export type Round = () => number | Promise<number>;

interface Measurement {
  readonly name: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  /** Done once in a process of its own, before the first round. */
  prepare(): Round | Promise<Round>;
}

const DESIGN = 'mainline';
const LOOP_INSTRUCTIONS = 2_000_000;
/** Refinement runs with a mark held, whose log grows; a campaign goes back to its mark about as often. */
const REFINED_INSTRUCTIONS = 400_000;
const RESET_EVERY = 20_000;
const SNAPSHOTS = 20_000;
const WORDS_PER_SNAPSHOT = 64;
const RUNS = 8;
/** Enough that compiling the code is a small part of a round. */
const WALKS = 400;
const SWEEPS = 40;
const CPU = 0;

function guest(): Guest {
  const image = designImage(DESIGN);
  if (image === undefined) throw new Error(`expected the image of ${DESIGN} beside its source, found none`);
  return bootGuest(image);
}

/** Seconds that an action takes. */
function seconds(action: () => void): number {
  const start = process.hrtime.bigint();
  action();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

/** Instructions of CPU 0 in millions a second, until `count` are done. */
function loopSpeed({ machine, monitor }: Guest, count: number): number {
  const { r } = machine.cpus[CPU];
  let left = count;
  const taken = seconds(() => {
    while (left > 0) {
      const before = r[ICOUNT];
      machine.run(CPU, left);
      left -= (r[ICOUNT] - before) | 0;
      if (monitor.violation !== undefined)
        throw new Error(`expected the loop to hold, found: ${monitor.violation.message}`);
    }
  });
  return (count - left) / taken / 1e6;
}

const bare: Measurement = {
  name: 'emulator bare',
  unit: 'MIPS',
  better: 'more',
  prepare() {
    const g = guest();
    g.machine.observer = NULL_OBSERVER;
    return () => loopSpeed(g, LOOP_INSTRUCTIONS);
  },
};

const withProperties: Measurement = {
  name: 'with all properties',
  unit: 'MIPS',
  better: 'more',
  prepare() {
    const g = guest();
    return () => loopSpeed(g, LOOP_INSTRUCTIONS);
  },
};

const withRefinement: Measurement = {
  name: 'with properties and refinement',
  unit: 'MIPS',
  better: 'more',
  prepare() {
    const { system } = new Subject({ design: DESIGN });
    const first = () => 0;
    return () => {
      const before = system.instructions;
      let resetAt = before;
      const taken = seconds(() => {
        while (system.instructions - before < REFINED_INSTRUCTIONS) {
          if (system.instructions >= resetAt) {
            system.reset();
            resetAt = system.instructions + RESET_EVERY;
          }
          const { outcome } = system.take({ kind: 'step', cpu: CPU }, first);
          if (outcome.kind !== 'done') throw new Error(`expected the loop to hold, found ${JSON.stringify(outcome)}`);
        }
      });
      return (system.instructions - before) / taken / 1e6;
    };
  },
};

const snapshots: Measurement = {
  name: `undo log: mark, ${WORDS_PER_SNAPSHOT} word writes, rollback`,
  unit: 'snapshots/s',
  better: 'more',
  prepare() {
    const { machine } = guest();
    const { memory } = machine;
    // One word on each of 64 lines, in the last pages of RAM, where no guest keeps anything.
    const base = memory.words.length - WORDS_PER_SNAPSHOT * 16;
    return () => {
      const taken = seconds(() => {
        for (let i = 1; i <= SNAPSHOTS; i++) {
          const mark = machine.mark();
          for (let w = 0; w < WORDS_PER_SNAPSHOT; w++) memory.write32(base + w * 16, i + w);
          machine.rollback(mark);
          machine.release(mark);
        }
      });
      return SNAPSHOTS / taken;
    };
  },
};

const fuzz: Measurement = {
  name: 'fuzz',
  unit: 'actions/s',
  better: 'more',
  prepare() {
    const subject = new Subject({ design: DESIGN });
    return () => {
      let actions = 0;
      const taken = seconds(() => {
        for (let run = 0; run < RUNS; run++) {
          const { steps, failed } = campaignRun(subject, 'bench', run);
          if (failed !== undefined)
            throw new Error(`expected ${DESIGN} to hold, found in run ${run}: ${failed.walk.failure?.message}`);
          actions += steps;
        }
      });
      return actions / taken;
    };
  },
};

/** By CPU time, so that what else the machine does counts less. */
const walks: Measurement = {
  name: 'walks: actions per CPU second',
  unit: 'actions/CPU s',
  better: 'more',
  prepare() {
    const subject = new Subject({ design: DESIGN });
    return () => {
      const start = process.cpuUsage();
      let actions = 0;
      for (let run = 0; run < WALKS; run++) actions += campaignRun(subject, 'walks', run).steps;
      const { user, system } = process.cpuUsage(start);
      return (actions / (user + system)) * 1e6;
    };
  },
};

const sweepSystemCall: Measurement = {
  name: 'sweep of one system call (NMI and IRQ at every boundary)',
  unit: 'ms',
  better: 'less',
  prepare() {
    const { system } = new Subject({ design: DESIGN });
    const systemCall = SCENARIOS.slice(0, 1);
    return () => {
      const taken = seconds(() => {
        for (let i = 0; i < SWEEPS; i++) {
          const { failure } = sweep(system, new Coverage(), () => false, systemCall);
          if (failure !== undefined) throw new Error(`expected ${DESIGN} to hold, found: ${failure.failure?.message}`);
        }
      });
      return (taken / SWEEPS) * 1e3;
    };
  },
};

const loop: Measurement = {
  name: 'system calls without PCID, all properties',
  unit: 'MIPS of CPU time',
  better: 'more',
  prepare: emulatorSpeed,
};

const qemuLoop: Measurement = {
  name: 'system calls without PCID, QEMU TCG',
  unit: 'MIPS of CPU time',
  better: 'more',
  prepare: qemuSpeed,
};

/** Absent where QEMU cannot be run. */
export const HAS_QEMU = qemuVersion(QEMU) !== undefined;

export const MEASUREMENTS: readonly Measurement[] = [
  bare,
  withProperties,
  withRefinement,
  snapshots,
  fuzz,
  walks,
  sweepSystemCall,
  loop,
  ...(HAS_QEMU ? [qemuLoop] : []),
];
