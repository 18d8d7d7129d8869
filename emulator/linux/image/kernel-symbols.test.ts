import { readKernelImage } from './kernel-image';
import { buildKallsyms, type SyntheticSymbolRow } from './testing/synthetic-kallsyms';
import { bannerSection, buildVmlinux, TEXT, textSection } from './testing/synthetic-kernel';

const NAMES = 700;
const long = `a_long_name_${'x'.repeat(300)}`;
/** Some per-CPU variables, then the kernel: more than two markers, and one name with two bytes of length. */
const perCpu: SyntheticSymbolRow[] = [
  ['D', 'cpu_tss_rw', 0x6000],
  ['D', 'current_task', 0x1fb80],
];
const kernel: SyntheticSymbolRow[] = [
  ['T', '_text', TEXT],
  ['T', '__switch_to_asm', TEXT + 0x10],
  ['t', 'local', TEXT + 0x40],
  ['T', 'known', TEXT + 0x40],
  ['t', long, TEXT + 0x60],
  ['t', 'twice', TEXT + 0x70],
  ['T', 'twice', TEXT + 0x80],
  ...Array.from({ length: NAMES }, (_, i): SyntheticSymbolRow => ['t', `function_${i}`, TEXT + 0x1000 + 16 * i]),
  ['B', '_end', TEXT + 0x400000],
];
const TABLES = TEXT + 0x200000;

function symbolsOf(rows: readonly SyntheticSymbolRow[], tables: Parameters<typeof buildKallsyms>[1]) {
  const bytes = buildKallsyms(rows, tables);
  const data = { name: '.data', addr: TABLES, bytes };
  return readKernelImage(buildVmlinux([textSection, bannerSection, data], [])).symbols;
}

describe.each([
  { layout: 'offsets-first', alignment: 8 },
  { layout: 'offsets-first', alignment: 8, sequences: true },
  { layout: 'offsets-first', alignment: 4 },
  { layout: 'offsets-last', alignment: 8 },
  { layout: 'offsets-last', alignment: 4 },
] as const)('kallsyms are read with %p', (tables) => {
  test.each([true, false])('per-CPU variables absolute: %p', (absolutePerCpu) => {
    const rows = absolutePerCpu ? [...perCpu, ...kernel] : kernel;
    const symbols = symbolsOf(rows, { ...tables, absolutePerCpu, base: TEXT });
    expect(symbols.layout).toBe(tables.layout);
    expect(symbols.list.map(({ name, address }) => [name, address])).toEqual(rows.map(([, ...row]) => row));
    expect(symbols.find('current_task')).toBe(absolutePerCpu ? 0x1fb80 : undefined);
  });

  test('a few names are enough', () => {
    const few = kernel.slice(0, 3);
    expect(symbolsOf(few, { ...tables, absolutePerCpu: true, base: TEXT }).list).toHaveLength(3);
  });
});

describe('a symbol', () => {
  const symbols = symbolsOf([...perCpu, ...kernel], {
    layout: 'offsets-first',
    alignment: 8,
    absolutePerCpu: true,
    base: TEXT,
  });

  test('is found by its name, the global one of two', () => {
    expect(symbols.find('__switch_to_asm')).toBe(TEXT + 0x10);
    expect(symbols.find('twice')).toBe(TEXT + 0x80);
    expect(symbols.find(long)).toBe(TEXT + 0x60);
    expect(symbols.find('absent')).toBeUndefined();
    expect(() => symbols.address('absent')).toThrow(
      /^the image: expected the symbol absent, found none in 710 symbols;/,
    );
  });

  test.each([
    [TEXT + 0x13, { name: '__switch_to_asm', offset: 3 }],
    [TEXT + 0x41, { name: 'known', offset: 1 }],
    [TEXT + 0x400000, { name: '_end', offset: 0 }],
    [TEXT + 0x400001, undefined],
    [TEXT - 1, undefined],
    [0x6000, undefined],
  ])('a place %p is known by the symbol below it', (va, place) => expect(symbols.symbolAt(va)).toEqual(place));
});

test('an ELF table of symbols is preferred', () => {
  const data = { name: '.data', addr: TABLES, bytes: buildKallsyms(kernel, tablesOfOneKind()) };
  const vmlinux = buildVmlinux([textSection, bannerSection, data], [{ name: 'mine', value: TEXT + 4, section: 1 }]);
  const { symbols } = readKernelImage(vmlinux);
  expect(symbols.layout).toBe('symtab');
  expect(symbols.list).toEqual([{ name: 'mine', address: TEXT + 4, global: true }]);
});

test('without either table it says what to build', () => {
  expect(() => readKernelImage(buildVmlinux([textSection, bannerSection], []))).toThrow(
    /expected the symbols of the kernel .* found neither; build it with CONFIG_KALLSYMS/,
  );
});

test('tables whose offsets do not ascend are damaged', () => {
  const rows = [kernel[3], kernel[0], ...kernel.slice(4)];
  expect(() => symbolsOf(rows, tablesOfOneKind())).toThrow(/expected the offsets of kallsyms .* found neither/);
});

function tablesOfOneKind() {
  return { layout: 'offsets-last', alignment: 8, absolutePerCpu: true, base: TEXT } as const;
}
