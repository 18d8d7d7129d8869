/**
 * Promise: a plant leaves out the instructions that its sentence is about and no others, in the code as it is in RAM,
 * and says so where this kernel does not have them. The kernel here is a few instructions.
 */
import { PhysicalMemory } from '../../emulator/memory/physical-memory';
import { BadInputError } from '../bad-input';
import { KernelText } from './kernel-text';
import { PLANTS, knownPlant as plant, plantedIn, plantInto } from './plants';

const VA = -0x7f000000;
const PA = 0x1000;

/** Code by symbol, one behind the other, in a segment of one page. */
function kernel(code: Readonly<Record<string, string>>): { memory: PhysicalMemory; text: KernelText } {
  const memory = new PhysicalMemory(0x4000);
  const list: { name: string; address: number; global: boolean }[] = [];
  let at = 0;
  for (const [name, hex] of Object.entries(code)) {
    const bytes = Uint8Array.from(Buffer.from(hex.replace(/ /g, ''), 'hex'));
    list.push({ name, address: VA + at, global: true });
    memory.writeBytes(PA + at, bytes);
    at += bytes.length;
  }
  list.push({ name: 'end', address: VA + at, global: true });
  const symbols = {
    list,
    find: (name: string) => list.find((symbol) => symbol.name === name)?.address,
  };
  const segments = [{ vaddr: VA, paddr: PA, memsz: 0x1000 }];
  return { memory, text: new KernelText(memory, { segments, symbols }) };
}

/** clac; cld; call; mov %rax,%rsp; mov %rsp,%rdi */
const STUB = '0f01ca fc e800000000 4889c4 4889e7';

test('what is left out is NOPs of its length, and nothing else changes', () => {
  const { memory, text } = kernel({ asm_exc_page_fault: STUB, asm_sysvec_apic_timer_interrupt: STUB });
  const size = STUB.replace(/ /g, '').length / 2;
  const before = memory.readBytes(PA, 2 * size);
  const left = plantInto(text, plant('stay-on-entry-stack'));
  expect(left.map(({ va, text: words }) => [va - VA, words])).toEqual([
    [9, 'mov %rax,%rsp'],
    [size + 9, 'mov %rax,%rsp'],
  ]);
  const expected = before.slice();
  expected.fill(0x90, 9, 12);
  expected.fill(0x90, size + 9, size + 12);
  expect(memory.readBytes(PA, 2 * size)).toEqual(expected);
});

test('the first of several, and all but the first', () => {
  // swapgs; mov %rax,%cr3; swapgs; mov %rax,%cr3; swapgs
  const { text } = kernel({ error_entry: '0f01f8 0f22d8 0f01f8 0f22d8 0f01f8' });
  const offsets = (name: string) => plantedIn(text, plant(name)).map(({ va }) => va - VA);
  expect(offsets('no-cr3-switch-of-faults')).toEqual([3]);
  expect(offsets('no-swapgs-of-faults')).toEqual([0]);
  expect(offsets('no-swapgs-of-iret-fault')).toEqual([6, 12]);
});

test('the one behind another instruction', () => {
  // jmp; bt %rdi,%rax; jae; btr %rdi,%rax; jmp; bts $63,%rdi; jmp
  const code = 'eb00 480fa3f8 7306 480fb3f8 eb05 480fbaef3f eb00';
  const { text } = kernel({ swapgs_restore_regs_and_return_to_usermode: code, syscall_return_via_sysret: code });
  const size = code.replace(/ /g, '').length / 2;
  expect(plantedIn(text, plant('no-flush-of-user-table')).map(({ va }) => va - VA)).toEqual([12, size + 12]);
});

test('what a boot has patched away is not there, and the sentence says so', () => {
  const { text } = kernel({ entry_SYSCALL_64: '0f01f8 90 90 90' });
  expect(() => plantedIn(text, plant('no-cr3-switch'))).toThrow(BadInputError);
  expect(() => plantedIn(text, plant('no-cr3-switch'))).toThrow(/no-cr3-switch.*entry_SYSCALL_64/);
  expect(() => plantedIn(text, plant('no-saved-rsp'))).toThrow('expected the symbol __switch_to_asm, found none');
});

test('every plant has a name of its own and leaves something out', () => {
  expect(new Set(PLANTS.map(({ name }) => name)).size).toBe(PLANTS.length);
  for (const { name, what, places } of PLANTS) {
    expect(name).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
    expect([what.length > 20, places.length > 0]).toEqual([true, true]);
  }
});
