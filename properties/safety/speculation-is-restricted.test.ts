/**
 * Promise of S27: where a kernel has decided so, C code without IBRS and user mode without VERW are seen. The guest
 * `mainline` does neither; here its view says that it has decided to.
 */
import { CPL } from '../../emulator/registers';
import { designImage } from '../designs/images';
import type { GuestView, SpeculationControls } from '../guest/guest-view';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { SPECULATION_IS_RESTRICTED } from './speculation-is-restricted';

const ENOUGH = 2000;
/** verw %cx, in the place of another instruction of three bytes. */
const VERW_CX = [0x0f, 0x00, 0xe9];
/** swapgs at the end of the return by SYSRET, which the test has no need of: nothing looks at GS. */
const SWAPGS = [0x0f, 0x01, 0xf8];

/** The first violation of a system call and its return. */
function verdict(speculation: SpeculationControls | undefined, verw = false): string | undefined {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 1, mms: 1 });
  if (verw) {
    const at = view.physical(image.symbol('return_by_sysret') ?? 0);
    const offset = Buffer.from(machine.memory.readBytes(at, 512)).indexOf(Buffer.from(SWAPGS));
    machine.memory.writeBytes(at + offset, Uint8Array.from(VERW_CX));
  }
  const judged: GuestView = Object.assign(Object.create(view) as GuestView, { speculation });
  const monitor = new Monitor(judged, [SPECULATION_IS_RESTRICTED]);
  monitor.attach();
  machine.choose = () => 0;
  const [cpu] = machine.cpus;
  for (const cpl of [0, 3])
    for (let i = 0; i < ENOUGH && cpu.r[CPL] !== cpl && monitor.violation === undefined; i++) machine.step(0);
  return monitor.violation?.message;
}

const controls = (wants: boolean, on: boolean, clearsBuffers: boolean): SpeculationControls => ({
  wantsIbrs: () => wants,
  ibrsIsOn: () => on,
  clearsBuffers,
});

test.each([
  ['a kernel that has decided nothing', undefined, false, undefined],
  ['IBRS that is on', controls(true, true, false), false, undefined],
  ['IBRS that nobody wants', controls(false, false, false), false, undefined],
  ['IBRS that is off', controls(true, false, false), false, /^expected IBRS to be on/],
  ['a return with VERW', controls(false, false, true), true, undefined],
  ['a return without VERW', controls(false, false, true), false, /^expected VERW before user mode/],
])('%s', (_name, speculation, verw, expected) => {
  if (expected === undefined) expect(verdict(speculation, verw)).toBeUndefined();
  else expect(verdict(speculation, verw)).toMatch(expected);
});
