/**
 * Promises of S9 about threads that another CPU runs, or none: the threadsp of a thread that runs elsewhere is not
 * stored to; that of one that runs nowhere is, with a stack of its own and with no other; a thread that gives way has
 * stored its rsp, unless it has ended.
 */
import { KERNEL } from '../../model/kinds';
import { designImage } from '../designs/images';
import { RSP_SAVED } from '../ghost/ghost';
import type { GuestView } from '../guest/guest-view';
import { bootGuest } from '../monitor/guest';
import { SCHEDULED_OUT_ON_OWN_STACK } from './scheduled-out-on-own-stack';

/** Two CPUs and three tasks: the last one runs nowhere. */
const TASKS = 3;
/** By the physical address the property knows which threadsp it is. */
const NO_ADDRESS = 0;
const [HERE, ELSEWHERE, NOWHERE] = [0, 1, 2];

function booted() {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view, monitor } = bootGuest(image, { cpus: 2, tasks: TASKS, mms: 1 });
  const { ghost, pages } = monitor;
  const { moments } = SCHEDULED_OUT_ON_OWN_STACK;
  const asked = typeof moments === 'function' ? moments(view) : moments;
  const sceneOf = (by: GuestView) => ({ view: by, ghost, pages, inDelivery: false, mayFaultAtIret: () => false });
  const [cpu] = machine.cpus;
  expect([0, 1].map((index) => ghost.running(index))).toEqual([HERE, ELSEWHERE]);
  /** What CPU 0 is told when it stores an rsp in the kernel stack of `owner` to the threadsp of `thread`. */
  const store = (thread: number, owner: number) => {
    const stack = view.regions.find((region) => region.kind === KERNEL && region.thread === owner);
    machine.memory.writeBytes(view.threadspPa[thread], littleEndian((stack?.end ?? 0) - 64));
    return asked.storedToTask?.(sceneOf(view), cpu, view.threadspPa[thread], NO_ADDRESS, 8);
  };
  /** What CPU 0 is told when it begins to run another thread. */
  const giveWay = (hasEnded = false) =>
    asked.threadSwitched?.(
      sceneOf(Object.assign(Object.create(view), { hasEnded: () => hasEnded })),
      cpu,
      HERE,
      NOWHERE,
    );
  const forgetSaved = () => {
    ghost.words[ghost.thread(HERE) + RSP_SAVED] = 0;
  };
  return { store, giveWay, forgetSaved };
}

function littleEndian(address: number): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64LE(BigInt(address));
  return bytes;
}

test('the threadsp of a thread that another CPU runs is stored to by that CPU alone', () => {
  expect(booted().store(ELSEWHERE, ELSEWHERE)).toMatch(
    /^expected threadsp of task t1 to be stored by CPU 1, which runs it/,
  );
});

test('a thread that runs nowhere gets a stack of its own', () => {
  const { store } = booted();
  expect(store(NOWHERE, NOWHERE)).toBeUndefined();
  expect(store(NOWHERE, ELSEWHERE)).toMatch(
    /^threadsp of task t2, which runs nowhere, becomes .* expected a stack of its own/,
  );
});

test('a thread that gives way has stored its rsp since it began to run, unless it has ended', () => {
  const { giveWay, store, forgetSaved } = booted();
  forgetSaved();
  expect(giveWay()).toMatch(/its rsp was not stored to its threadsp since it began to run$/);
  expect(giveWay(true)).toBeUndefined();
  store(HERE, HERE);
  expect(giveWay()).toBeUndefined();
});
