import { smallMachine } from '../testing/small-machine';
import { parseInfoRegisters, tableRegisters } from './table-registers';

const INFO = `RAX=0000000000000000 RBX=0000000000000000
LDT=0000 0000000000000000 0000ffff 00008200 DPL=0 LDT
TR =0040 ffffffff81012000 00000067 00008b00 DPL=0 TSS64-busy
GDT=     ffffffff81010000 0000004f
IDT=     ffffffff81011000 00000fff
CR0=80050033 CR2=0000000000000000`;

test('what QEMU prints is read under the names of ours', () => {
  expect(parseInfoRegisters(INFO)).toEqual(tableRegisters(smallMachine().cpu));
});

test('a missing line is said', () => {
  expect(() => parseInfoRegisters('GDT=     0 0\nIDT=     0 0')).toThrow('expected a line "TR="');
});
