import { readKernelImage } from './kernel-image';
import { type KernelOffsets, readOffsets } from './kernel-offsets';
import { buildBtf, type SyntheticType } from './testing/synthetic-btf';
import { bannerSection, buildVmlinux, TEXT } from './testing/synthetic-kernel';

const DATA = TEXT + 0x200000;
const INIT_TASK = DATA;
const INIT_MM = DATA + 0x200;
const INIT_STACK = DATA + 0x4000;
const TABLE = DATA + 0x8000;

/** Functions of the entry and switch code, each with the operands that matter, 32 bytes apart. */
const FUNCTIONS: readonly (readonly [name: string, code: readonly number[]])[] = [
  // mov %rsp,0x1518(%rdi); mov 0x1518(%rsi),%rsp
  ['__switch_to_asm', [0x48, 0x89, 0xa7, 0x18, 0x15, 0, 0, 0x48, 0x8b, 0xa6, 0x18, 0x15, 0, 0, 0xc3]],
  // mov %rsp,%gs:0x6014; mov %gs:0x1fb50,%rsp
  [
    'entry_SYSCALL_64',
    [0x65, 0x48, 0x89, 0x24, 0x25, 0x14, 0x60, 0, 0, 0x65, 0x48, 0x8b, 0x24, 0x25, 0x50, 0xfb, 1, 0],
  ],
  // bt %rdi,%gs:0x31296
  ['common_interrupt_return', [0x65, 0x48, 0x0f, 0xa3, 0x3c, 0x25, 0x96, 0x12, 3, 0]],
  // mov %gs:0x1fb48,%r11; mov %rsp,(%r11)
  ['common_interrupt', [0x65, 0x4c, 0x8b, 0x1c, 0x25, 0x48, 0xfb, 1, 0, 0x49, 0x89, 0x23]],
  // mov 0x968(%rax),%rax; ret
  ['idle_task', [0x48, 0x8b, 0x80, 0x68, 0x09, 0, 0, 0xc3]],
  ['end_of_code', [0xcc]],
];

function words(size: number, values: Record<number, number>): Buffer {
  const bytes = Buffer.alloc(size);
  for (const [at, value] of Object.entries(values)) bytes.writeBigInt64LE(BigInt(value), Number(at));
  return bytes;
}

const text = Buffer.alloc(32 * FUNCTIONS.length, 0x90);
for (const [i, [, code]] of FUNCTIONS.entries()) text.set(code, 32 * i);
const data = Buffer.concat([words(0x200, { 32: INIT_STACK, 72: INIT_MM }), words(0x100, { 72: TABLE })]);
const perCpu = words(0x200, { 128: INIT_MM, 152: -1, 256: INIT_TASK, 280: INIT_STACK });
const SECTIONS = [
  { name: '.text', addr: TEXT, bytes: text, executable: true },
  bannerSection,
  { name: '.data', addr: DATA, bytes: data },
  { name: '.data..percpu', addr: 0, bytes: perCpu },
];
const OBJECTS: readonly (readonly [string, number])[] = [
  ['init_task', INIT_TASK],
  ['init_mm', INIT_MM],
  ['init_stack', INIT_STACK],
  ['init_top_pgt', TABLE],
  ['cpu_tss_rw', 0x20],
  ['cpu_tlbstate', 0x80],
  ['runqueues', 0x140],
];

function imageWith(objects: typeof OBJECTS, types?: readonly SyntheticType[], functions = FUNCTIONS) {
  const places = FUNCTIONS.map(([name], i) => [name, TEXT + 32 * i] as const);
  const known = places.filter(([name]) => functions.some(([other]) => other === name));
  const symbols = [...known, ...objects].map(([name, value]) => ({ name, value, section: 1 }));
  const btf = types && [{ name: '.BTF', addr: TEXT + 0x180000, bytes: buildBtf(types) }];
  return readKernelImage(buildVmlinux([...SECTIONS, ...(btf ?? [])], symbols));
}

test('without types the code and the data tell the offsets', () => {
  const offsets: KernelOffsets = readOffsets(imageWith([...OBJECTS, ['current_task', 0x100]]));
  expect(offsets).toMatchObject({
    task: { threadSp: 0x1518, stack: 32, mm: 64 },
    mmPgd: 72,
    perCpu: {
      currentTask: 0x100,
      topOfStack: 0x1fb50,
      hardirqStackPointer: 0x1fb48,
      tss: 0x20,
      loadedMm: 0x80,
      cr4: 0x98,
      userPcidFlushMask: 0x31296,
      idle: 0x140 + 0x968,
    },
    cpuEntryArea: undefined,
  });
  expect(offsets.missing).toEqual([
    expect.stringMatching(/^the image: expected to find the stacks of cpu_entry_area in /),
  ]);
});

test('the running task is where pcpu_hot points to init_task', () => {
  expect(readOffsets(imageWith([...OBJECTS, ['pcpu_hot', 0xf0]])).perCpu.currentTask).toBe(0x100);
});

test('what no reader can do without is an error that says what to build', () => {
  expect(() => readOffsets(imageWith(OBJECTS))).toThrow(
    "the image: expected to find the per-CPU pointer to the running task in the kernel's code and data, and no .BTF, " +
      'found nothing; build it with CONFIG_DEBUG_INFO_BTF (it needs pahole).',
  );
  const withTask: typeof OBJECTS = [...OBJECTS, ['current_task', 0x100]];
  const without = FUNCTIONS.filter(([name]) => name !== '__switch_to_asm');
  expect(() => readOffsets(imageWith(withTask, undefined, without))).toThrow(/find thread\.sp of task_struct/);
});

test('other things that are missing are said', () => {
  const without = FUNCTIONS.filter(([name]) => name !== 'common_interrupt');
  const { missing, perCpu: found } = readOffsets(imageWith([...OBJECTS, ['current_task', 0x100]], undefined, without));
  expect(found.hardirqStackPointer).toBeUndefined();
  expect(missing.join()).toMatch(/find the per-CPU pointer to the interrupt stack/);
});

test('types are asked before the code', () => {
  const types: readonly SyntheticType[] = [
    { kind: 'int', name: 'long', size: 8 },
    { kind: 'struct', name: 'thread_struct', size: 16, members: [['sp', 1, 64]] },
    {
      kind: 'struct',
      name: 'task_struct',
      size: 64,
      members: [
        ['stack', 1, 128],
        ['mm', 1, 192],
        ['thread', 2, 256],
      ],
    },
    { kind: 'struct', name: 'page', size: 4096, members: [['all', 1, 0]] },
    {
      kind: 'struct',
      name: 'cpu_entry_area',
      size: 0x8000,
      members: [
        ['entry_stack_page', 4, 0x8000],
        ['tss', 4, 0x10000],
        ['estacks', 5, 0x18000],
      ],
    },
    {
      kind: 'struct',
      name: 'cea_exception_stacks',
      size: 0x3000,
      members: [
        ['DF_stack', 4, 0x8000],
        ['NMI_stack', 4, 0x10000],
      ],
    },
  ];
  const offsets = readOffsets(imageWith([...OBJECTS, ['current_task', 0x100]], types));
  expect(offsets.task).toEqual({ threadSp: 40, stack: 16, mm: 24 });
  expect(offsets.cpuEntryArea).toEqual({
    size: 0x8000,
    entryStack: { offset: 0x1000, size: 4096 },
    tss: { offset: 0x2000, size: 4096 },
    exceptionStacks: new Map([
      ['DF', { offset: 0x4000, size: 4096 }],
      ['NMI', { offset: 0x5000, size: 4096 }],
    ]),
  });
  // The types above do not describe an mm_struct, so the data does.
  expect(offsets.mmPgd).toBe(72);
  expect(offsets.missing).toEqual([]);
});
