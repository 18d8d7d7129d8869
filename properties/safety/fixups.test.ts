/**
 * Promise: where the exception table has led a fault of the kernel to a fixup, S6 takes the kernel's GS for right
 * there, whatever the instruction that has faulted ran with (Linux: a selector of GS that cannot be loaded), and
 * nothing else; and an INT3 of the kernel goes on where the kernel says.
 */
import { CPL, CR3, GS_BASE, RIP } from '../../emulator/registers';
import { designImage } from '../designs/images';
import { snapshot } from '../ghost/contexts';
import { CTX_FAULT, CTX_FROM_USER_GS, CTX_FROM_USER_HALF, CTX_VECTOR } from '../ghost/ghost';
import type { GuestView } from '../guest/guest-view';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { RESUME_IS_EXACT } from './resume-is-exact';

const BREAKPOINT = 3,
  GENERAL_PROTECTION = 13;

interface Fault {
  /** GS at the instruction that faults, and at the fixup. */
  readonly from: 'user' | 'kernel';
  readonly to: 'user' | 'kernel';
  /** The exception table names the instruction. */
  readonly listed: boolean;
  /** A kernel whose fixups set registers. */
  readonly linux: boolean;
  readonly vector?: number;
}

/** What S6 says of the return from a fault of the kernel to another instruction. */
function verdict({ from, to, listed, linux, vector = GENERAL_PROTECTION }: Fault): string | undefined {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  const [cpu] = machine.cpus;
  for (let i = 0; i < 1000 && (cpu.r[CPL] === 3 || view.isUserHalf(cpu.r[CR3])); i++) machine.step(0);
  const kernelGs = cpu.r[GS_BASE];
  const fixup = cpu.rip() + 1;
  const manifest = { ...view.manifest, exceptionTable: new Map(listed ? [[cpu.rip(), fixup]] : []) };
  const judged: GuestView = Object.assign(Object.create(view) as GuestView, { manifest, kernelSetsRegisters: linux });
  const monitor = new Monitor(judged, [RESUME_IS_EXACT]);
  const { ghost } = monitor;
  const gsOf = (owner: Fault['from']) => (owner === 'kernel' ? kernelGs : kernelGs + 4096);
  const at = ghost.open(0);
  cpu.r[GS_BASE] = gsOf(from);
  snapshot(judged, cpu, ghost.words, at);
  ghost.words[at + CTX_VECTOR] = vector;
  ghost.words[at + CTX_FAULT] = vector + 1;
  ghost.words[at + CTX_FROM_USER_HALF] = 0;
  ghost.words[at + CTX_FROM_USER_GS] = from === 'user' ? 1 : 0;
  cpu.r[GS_BASE] = gsOf(to);
  cpu.set64(RIP, BigInt(fixup));
  const { moments } = RESUME_IS_EXACT;
  return typeof moments === 'function' ? undefined : moments.returned?.(monitor, cpu, at);
}

test.each([
  ['a fixup that goes on with the GS of its instruction', { from: 'user', to: 'user', listed: true, linux: true }],
  ['one that goes on with that of the kernel', { from: 'user', to: 'kernel', listed: true, linux: true }],
  ['an INT3', { from: 'kernel', to: 'kernel', listed: false, linux: true, vector: BREAKPOINT }],
] as const)('%s holds', (_name, fault) => {
  expect(verdict(fault)).toBeUndefined();
});

test.each([
  ['one that goes on with that of the user', { from: 'kernel', to: 'user', listed: true, linux: true }, /kernel GS/],
  ['one of a guest, with another GS', { from: 'user', to: 'kernel', listed: true, linux: false }, /user GS/],
  ['a return to where no table leads', { from: 'user', to: 'kernel', listed: false, linux: true }, /expected rip/],
  ['an INT3 of a guest', { from: 'kernel', to: 'kernel', listed: false, linux: false, vector: BREAKPOINT }, /rip/],
  ['an INT3 with another GS', { from: 'kernel', to: 'user', listed: false, linux: true, vector: BREAKPOINT }, /GS/],
] as const)('%s is a violation', (_name, fault, expected) => {
  expect(verdict(fault)).toMatch(expected);
});
