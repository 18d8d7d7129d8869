import { P, PAGE, setLeaf, XD } from '../testing/page-access';
import { KERNEL, PML4, poke, put64, type SmallMachine, smallMachine, USER, USER_PA } from '../testing/small-machine';
import { leavesOf, visitLeaves, walkedEntries } from './table-view';

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

describe('a walk that is told to', () => {
  /** Pages that are entered as `level:va`, and the leaves that are found. */
  function visited({ machine }: SmallMachine, from: number, end: number, most = Number.POSITIVE_INFINITY) {
    const entered: string[] = [];
    const leaves: number[] = [];
    const all = visitLeaves(machine.memory, PML4, from, end, {
      enters: (_table, level, va) => entered.push(`${level}:${va}`) > 0,
      finds: ({ va }) => leaves.push(va) < most,
    });
    return { entered, leaves, all };
  }
  const vas = (small: SmallMachine) => [...leavesOf(small.machine.memory, PML4)].map(({ va }) => va);

  test('finds the same leaves as a reader of the whole table', () => {
    const small = smallMachine();
    put64(small.machine, 0x3000 + 9 * 8, 0x200081, XD);
    expect(visited(small, 0, 0)).toMatchObject({ leaves: vas(small), all: true });
  });

  test('reads no page of a table that translates nothing of the range', () => {
    const small = smallMachine();
    const { entered, leaves } = visited(small, KERNEL + 0x1000, KERNEL + 0x3000);
    expect(leaves).toEqual([KERNEL + 0x1000, KERNEL + 0x2000]);
    expect(entered).toHaveLength(4);
    expect(visited(small, USER, USER + 0x1000).leaves).toEqual([USER]);
  });

  test('ends where the visitor says so', () => {
    expect(visited(smallMachine(), KERNEL, 0, 3)).toMatchObject({
      leaves: [KERNEL, KERNEL + 0x1000, KERNEL + 0x2000],
      all: false,
    });
  });
});

describe('page tables, for a reader', () => {
  const view = (small: SmallMachine, fromVa?: number) => [...leavesOf(small.machine.memory, PML4, fromVa)];

  test('leaves come in the order of the tables, the user half first, each with the rights of its levels', () => {
    const small = smallMachine();
    put64(small.machine, 0x3000 + 9 * 8, 0x200081, XD);
    const leaves = view(small);
    expect(leaves).toHaveLength(64 + 256 + 1);
    expect(leaves[0]).toEqual({
      va: USER,
      pa: USER_PA,
      size: 0x1000,
      writable: true,
      user: true,
      noExecute: false,
    });
    expect(leaves[64]).toMatchObject({ va: KERNEL, pa: 0, size: 0x1000, writable: true, user: false });
    expect(leaves[64 + 256]).toEqual({
      va: KERNEL + 0x200000,
      pa: 0x200000,
      size: 0x200000,
      writable: false,
      user: false,
      noExecute: true,
    });
  });

  test('leaves from an address on begin with the one that maps it', () => {
    const small = smallMachine();
    expect(view(small, USER + 0x3f123).map(({ va }) => va)).toEqual([
      USER + 0x3f000,
      ...Array.from({ length: 256 }, (_, page) => KERNEL + page * 0x1000),
    ]);
    expect(view(small, KERNEL + 0xff000)).toHaveLength(1);
  });

  test('a table beyond RAM has no leaves', () => {
    const small = smallMachine();
    put64(small.machine, 0x3000 + 10 * 8, 0x100003);
    expect(view(small)).toHaveLength(64 + 256);
  });

  test('64 bits are read across pages, and nothing where a page is missing or no RAM', () => {
    const small = smallMachine();
    const at = PAGE + 0xffc;
    poke(small.machine, at, 0x1122334455667788n);
    expect(small.machine.readVirtual64(PML4, at)).toEqual({ lo: 0x55667788, hi: 0x11223344 });
    setLeaf(small, PAGE + 0x1000, 0x100000, P);
    expect(small.machine.readVirtual64(PML4, at)).toBeUndefined();
    setLeaf(small, PAGE + 0x1000, 0, 0);
    expect(small.machine.readVirtual64(PML4, at)).toBeUndefined();
  });
});
