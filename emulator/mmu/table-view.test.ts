import { PAGE } from '../testing/page-access';
import { KERNEL, put64, type SmallMachine, smallMachine } from '../testing/small-machine';
import { walkedEntries } from './table-view';

describe('the entries of a walk, for a reader', () => {
  /** `PML4[511] PDPT[510] ...`, with a `!` at an entry that has a reserved bit set. */
  const walked = (small: SmallMachine, va: number) =>
    walkedEntries(small.machine.memory, 0x1000, va)
      .map(({ table, index, reserved }) => `${table}[${index}]${reserved ? '!' : ''}`)
      .join(' ');

  test.each([
    ['down to the leaf', PAGE, undefined, 'PML4[511] PDPT[510] PD[8] PT[80]'],
    ['to an entry that is not present', KERNEL + 0x40000000, undefined, 'PML4[511] PDPT[511]'],
    ['to a large page', PAGE, [0x3040, 0x83, 0], 'PML4[511] PDPT[510] PD[8]'],
    ['to a large page with a reserved bit', PAGE, [0x3040, 0x2083, 0], 'PML4[511] PDPT[510] PD[8]!'],
    ['to a table with a reserved bit', PAGE, [0x2ff0, 0x3003, 1], 'PML4[511] PDPT[510]!'],
    ['nowhere for an address that is not canonical', 0x800000000000, undefined, ''],
  ] as const)('%s', (_name, va, entry, path) => {
    const small = smallMachine();
    if (entry !== undefined) put64(small.machine, entry[0], entry[1], entry[2]);
    expect(walked(small, va)).toBe(path);
  });
});
