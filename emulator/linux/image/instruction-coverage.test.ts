import { Mnemonic } from 'iced-x86';
import { featureName, readAlternatives } from './alternatives';
import { instructionCoverage } from './instruction-coverage';
import { readKernelImage } from './kernel-image';
import { bannerSection, buildVmlinux, TEXT } from './testing/synthetic-kernel';

const ENTRY = TEXT + 0x10;
const REPLACEMENTS = TEXT + 0x110000;
const TABLE = TEXT + 0x120000;

const text = Buffer.alloc(0x40, 0x90);
// At the entry: swapgs; wbinvd; a NOP of five bytes that becomes another one; and elsewhere wbinvd; vmcall.
text.set([0x0f, 0x01, 0xf8, 0x0f, 0x09, 0x0f, 0x1f, 0x44, 0, 0], 0x10);
text.set([0x0f, 0x09, 0x0f, 0x01, 0xc1], 0x30);
// mov %rax,%cr3; vmcall
const replacements = Uint8Array.of(0x0f, 0x22, 0xd8, 0x0f, 0x01, 0xc1);

/** The table of alternatives: (site, replacement, length) in entries of `size` bytes. */
function table(size: 12 | 14, rows: readonly (readonly [number, number, number])[]): Buffer {
  const bytes = Buffer.alloc(size * rows.length);
  for (const [i, [site, replacement, length]] of rows.entries()) {
    bytes.writeInt32LE(site - (TABLE + size * i), size * i);
    bytes.writeInt32LE(replacement - (TABLE + size * i + 4), size * i + 4);
    bytes.writeUInt16LE(0x8000 + 33 + i, size * i + 8);
    bytes[size * i + size - 2] = 5;
    bytes[size * i + size - 1] = length;
  }
  return bytes;
}

function imageWith(alternatives: Uint8Array) {
  const sections = [
    { name: '.text', addr: TEXT, bytes: text, executable: true },
    bannerSection,
    { name: '.altinstr_replacement', addr: REPLACEMENTS, bytes: replacements, executable: true },
    { name: '.altinstructions', addr: TABLE, bytes: alternatives },
  ];
  const symbols = [
    ['_text', TEXT],
    ['__entry_text_start', ENTRY],
    ['asm_entry', ENTRY],
    ['__entry_text_end', TEXT + 0x20],
    ['__switch_to', TEXT + 0x30],
    ['_etext', TEXT + 0x40],
    ['current_task', 0x40],
  ] as const;
  return readKernelImage(
    buildVmlinux(
      sections,
      symbols.map(([name, value]) => ({ name, value, section: 1 })),
    ),
  );
}

const rows = [
  [ENTRY + 5, REPLACEMENTS, 3],
  [TEXT + 0x30, REPLACEMENTS + 3, 3],
  [TEXT + 0x30, REPLACEMENTS + 6, 0],
] as const;

test.each([12, 14] as const)('alternatives of %p bytes are read', (size) => {
  expect(readAlternatives(imageWith(table(size, rows)))).toEqual(
    rows.map(([site, replacement, length], i) => ({ site, replacement, length, feature: 33 + i })),
  );
});

test('a feature has the name that the kernel shows, or its number', () => {
  const names = TEXT + 0x130000;
  const bytes = Buffer.alloc(0x400);
  // Two words of 32 features each, then bugs; the texts lie behind.
  for (const [at, offset] of [
    [33 * 8, 0x300],
    [0x200 + 8, 0x310],
    [34 * 8, 0x3f0],
  ]) {
    bytes.writeBigInt64LE(BigInt(names + offset), at);
  }
  bytes.write('pti\0', 0x300, 'latin1');
  bytes.write('spectre_v2\0', 0x310, 'latin1');
  const data = { name: '.data', addr: names, bytes };
  const symbols = [
    { name: 'x86_cap_flags', value: names, section: 1 },
    { name: 'x86_bug_flags', value: names + 0x200, section: 1 },
  ];
  const image = readKernelImage(buildVmlinux([bannerSection, data], symbols));
  expect([33, 64 + 1, 34, 35, 64 + 2, 5000].map((feature) => featureName(image, feature))).toEqual([
    'pti',
    'bug:spectre_v2',
    '1*32+2',
    '1*32+3',
    '2*32+2',
    '156*32+8',
  ]);
  expect(featureName(imageWith(table(12, rows)), 33)).toBe('1*32+1');
});

test('a table whose replacements lie elsewhere is damaged', () => {
  const image = imageWith(table(12, [[ENTRY, REPLACEMENTS + 4, 3]]));
  expect(() => readAlternatives(image)).toThrow(/expected alternatives of 12 or 14 bytes .* found others/);
});

test('each region is decoded with what the kernel may patch into it', () => {
  const executes = new Set([Mnemonic.Nop, Mnemonic.Swapgs, Mnemonic.Mov]);
  const regions = instructionCoverage(imageWith(table(12, rows)), ({ mnemonic }) => executes.has(mnemonic));
  expect(regions).toEqual([
    {
      name: 'entry text',
      size: 16,
      instructions: 10,
      replacements: 1,
      missing: [{ text: 'wbinvd', count: 1, va: ENTRY + 3 }],
    },
    {
      name: 'switch functions',
      size: 16,
      instructions: 14,
      replacements: 1,
      missing: [
        { text: 'vmcall', count: 2, va: TEXT + 0x32 },
        { text: 'wbinvd', count: 1, va: TEXT + 0x30 },
      ],
    },
    {
      name: 'all of .text',
      size: 64,
      instructions: 56,
      replacements: 2,
      missing: [
        { text: 'wbinvd', count: 2, va: ENTRY + 3 },
        { text: 'vmcall', count: 2, va: TEXT + 0x32 },
      ],
    },
  ]);
});
