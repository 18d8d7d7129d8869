/**
 * Promise: with the observer our machine pushes the error code that QEMU pushes for a gate that user mode may not use,
 * and no other is changed.
 */
import { CR3 } from '../registers';
import { RSP0, setGate, smallMachine, userAt } from '../testing/small-machine';
import { QemuImitation } from './qemu-imitation';

/** Bytes of a frame with an error code. */
const FRAME = 48;

/** The error code of the fault of one instruction at CPL 3, and what was imitated. */
function pushedBy(code: string, isImitated: boolean) {
  const small = smallMachine();
  const { machine } = small;
  setGate(machine, 0xa2, 0, 0, 14, 0);
  userAt(small, code);
  const imitation = new QemuImitation(machine);
  if (isImitated) machine.observer = imitation;
  machine.step(0);
  const pa = machine.translate(machine.cpus[0].r[CR3] & 0xfffff000, RSP0 - FRAME)?.pa;
  if (pa === undefined) throw new Error('the kernel stack is not mapped');
  return { error: machine.memory.read32(pa), accepted: imitation.accepted() };
}

test('INT n with a gate of the kernel: the vector times 16', () => {
  expect(pushedBy('cda2', false)).toEqual({ error: 0xa2 * 8 + 2, accepted: [] });
  expect(pushedBy('cda2', true)).toEqual({
    error: 0xa2 * 16 + 2,
    accepted: [
      ['rf-not-pushed', 1],
      ['gate-error-code', 1],
    ],
  });
});

test('an error code that names no gate stays: HLT at CPL 3', () => {
  expect(pushedBy('f4', true)).toEqual({ error: 0, accepted: [['rf-not-pushed', 1]] });
});
