import { readKernelCode } from './kernel-code';
import { readKernelImage } from './kernel-image';
import { bannerSection, buildVmlinux, TEXT } from './testing/synthetic-kernel';

const TABLE = TEXT + 0x120000;

const SYMBOLS: readonly (readonly [string, number])[] = [
  ['_stext', 0],
  ['panic', 0x10],
  ['oops_begin', 0x20],
  ['__switch_to_asm', 0x40],
  ['__noinstr_text_start', 0x100],
  ['exc_nmi', 0x110],
  ['__noinstr_text_end', 0x200],
  ['__entry_text_start', 0x200],
  ['entry_SYSCALL_64', 0x210],
  ['native_irq_return_iret', 0x220],
  ['asm_exc_nmi', 0x230],
  ['repeat_nmi', 0x240],
  ['end_repeat_nmi', 0x250],
  ['entry_untrain_ret', 0x2c0],
  ['__entry_text_end', 0x300],
  ['its_static_thunk', 0x300],
  ['__x86_indirect_thunk_array', 0x400],
  ['__x86_indirect_thunk_rax', 0x400],
  ['__x86_indirect_thunk_rcx', 0x420],
  ['__x86_return_thunk', 0x440],
  ['_etext', 0x1000],
];

function codeWith(symbols: typeof SYMBOLS) {
  const fixups = Buffer.alloc(24);
  for (const [i, [instruction, fixup]] of [
    [0x44, 0x54],
    [0x220, 0x260],
  ].entries()) {
    fixups.writeInt32LE(TEXT + instruction - (TABLE + 12 * i), 12 * i);
    fixups.writeInt32LE(TEXT + fixup - (TABLE + 12 * i + 4), 12 * i + 4);
  }
  const sections = [
    { name: '.text', addr: TEXT, bytes: Buffer.alloc(0x1000, 0x90), executable: true },
    bannerSection,
    { name: '__ex_table', addr: TABLE, bytes: fixups },
  ];
  const rows = symbols.map(([name, offset]) => ({ name, value: TEXT + offset, section: 1 }));
  return readKernelCode(readKernelImage(buildVmlinux(sections, rows)));
}

const code = codeWith(SYMBOLS);

test.each([
  [-1, undefined],
  [0, 'other'],
  [0xff, 'other'],
  [0x100, 'noinstr'],
  [0x1ff, 'noinstr'],
  [0x200, 'entry'],
  [0x2bf, 'entry'],
  [0x2c0, 'thunk'],
  [0x300, 'other'],
  [0x400, 'thunk'],
  [0x43f, 'thunk'],
  [0x440 + 255, 'thunk'],
  [0x440 + 256, 'other'],
  [0x1000, undefined],
])('the code at _stext + %p is %p', (offset, kind) => expect(code.kindAt(TEXT + offset)).toBe(kind));

test('single places, and what a fault leads to', () => {
  expect(code).toMatchObject({
    systemCall: TEXT + 0x210,
    switchTo: TEXT + 0x40,
    iret: TEXT + 0x220,
    nmi: { gate: TEXT + 0x230, body: TEXT + 0x110, repeat: { start: TEXT + 0x240, end: TEXT + 0x250 } },
    failures: [TEXT + 0x10, TEXT + 0x20],
  });
  expect([...code.fixups]).toEqual([
    [TEXT + 0x44, TEXT + 0x54],
    [TEXT + 0x220, TEXT + 0x260],
  ]);
});

test('a place that is missing is named', () => {
  const without = SYMBOLS.filter(([name]) => name !== 'native_irq_return_iret');
  expect(() => codeWith(without)).toThrow(/expected the symbol native_irq_return_iret, found none/);
});

test('regions that end before they begin are damage', () => {
  const swapped = SYMBOLS.map(([name, offset]) => [name, name === '_stext' ? 0x2000 : offset] as const);
  expect(() => codeWith(swapped)).toThrow(/expected _stext below _etext, found it above/);
});
