/**
 * How fast the emulator is (plain Node, never Jest): `node -r esbuild-register emulator/emulator.bench.ts` or the built
 * file. Medians of several runs: millions of instructions per second of a straight loop, bare and with an observer that
 * reads rsp and CPL before every instruction, and snapshots (mark, 64 stores, rollback) per second.
 */
import type { Cpu } from './cpu/cpu';
import type { Machine } from './machine';
import type { MicroOp } from './micro-op';
import { type Delivery, type Fault, NULL_OBSERVER, type Observer } from './observer';
import { CPL, RSP } from './registers';
import { kernelAt, smallMachine } from './testing/small-machine';

/**
 * mov $-1,%rcx; mov %rsp,%rdi; 1: mov %rcx,-64(%rdi); mov -64(%rdi),%rax; add %rax,%rbx; lea 8(%rbx,%rax,2),%rdx; and
 * $0xffff,%rdx; xor %rdx,%rsi; push %rsi; call 2f; mov -64(%rdi),%r8; pop %r9; sub $1,%rcx; jnz 1b; hlt; 2: test
 * %rax,%rax; ret
 */
const LOOP =
  '48c7c1ffffffff4889e748894fc0488b47c04801c3488d5443084881e2ffff00004831d656e80d0000004c8b47c041594883e90175d4f44885c0c3';

class ReadingObserver implements Observer {
  lowest = 0;
  userSteps = 0;
  classify(_va: number): number {
    return 0;
  }
  executing(cpu: Cpu, _op: MicroOp): void {
    if (cpu.r[RSP] < this.lowest) this.lowest = cpu.r[RSP];
    if (cpu.r[CPL] === 3) this.userSteps++;
  }
  retired(cpu: Cpu, _op: MicroOp): void {
    if (cpu.r[CPL] === 3) this.userSteps++;
  }
  stackAccess(_cpu: Cpu, lo: number, _hi: number, _bytes: number, _write: boolean): void {
    if (lo < this.lowest) this.lowest = lo;
  }
  watchedStore(_cpu: Cpu, _pa: number, _bytes: number, _lo: number, _hi: number): void {}
  faulted(_cpu: Cpu, _fault: Fault): void {}
  delivering(_cpu: Cpu, _event: Delivery): void {}
  delivered(_cpu: Cpu, _event: Delivery): void {}
  nmiLatched(_cpu: Cpu): void {}
  shutdown(_cpu: Cpu): void {}
}

const STEPS = 2_000_000;
const ROUNDS = 7;

function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function timed(action: () => void): number {
  const start = process.hrtime.bigint();
  action();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

function loopMachine(observer: Observer): Machine {
  const small = smallMachine();
  kernelAt(small, LOOP);
  small.machine.observer = observer;
  small.machine.run(0, STEPS);
  return small.machine;
}

function mips(observer: Observer): number {
  const machine = loopMachine(observer);
  const rates: number[] = [];
  for (let i = 0; i < ROUNDS; i++)
    rates.push(
      STEPS /
        timed(() => {
          machine.run(0, STEPS);
        }) /
        1e6,
    );
  return median(rates);
}

function snapshotRate(): number {
  const { machine } = smallMachine();
  const count = 20_000;
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const seconds = timed(() => {
      for (let i = 0; i < count; i++) {
        const mark = machine.mark();
        for (let w = 0; w < 64; w++) machine.memory.write32(0x8000 + w * 256, i + w + 1);
        machine.rollback(mark);
        machine.release(mark);
      }
    });
    rates.push(count / seconds);
  }
  return median(rates);
}

console.log(`bare loop:        ${mips(NULL_OBSERVER).toFixed(1)} MIPS`);
console.log(`reading observer: ${mips(new ReadingObserver()).toFixed(1)} MIPS`);
console.log(`snapshots:        ${Math.round(snapshotRate())} per second (mark, 64 stores, rollback)`);
