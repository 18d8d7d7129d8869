import { Btf } from './btf';
import { buildBtf, type SyntheticType } from './testing/synthetic-btf';

/** Numbers of the types are their places in the list, from 1. */
const TYPES: readonly SyntheticType[] = [
  { kind: 'int', name: 'long', size: 8 },
  { kind: 'ptr', size: 1 },
  {
    kind: 'struct',
    name: 'thread_struct',
    size: 32,
    members: [
      ['tls', 4, 0],
      ['sp', 1, 192],
    ],
  },
  { kind: 'array', size: 1, length: 3 },
  { kind: 'typedef', name: 'thread_t', size: 3 },
  { kind: 'const', size: 5 },
  {
    kind: 'union',
    size: 8,
    members: [
      ['mm', 2, 0],
      ['other', 1, 0],
    ],
  },
  {
    kind: 'struct',
    name: 'task_struct',
    size: 96,
    members: [
      ['', 7, 64],
      ['thread', 6, 128],
      ['threads', 9, 384],
    ],
  },
  { kind: 'array', size: 5, length: 1 },
  {
    kind: 'struct',
    name: 'flags',
    size: 4,
    members: [
      ['low', 1, 0, 3],
      ['high', 1, 3, 29],
    ],
  },
  { kind: 'var', name: 'current_task', size: 2 },
  { kind: 'datasec', name: '.data..percpu', size: 0x100, members: [['', 11, 0x40, 8]] },
];
const btf = new Btf(buildBtf(TYPES), 'image');

test.each([
  ['task_struct', 'mm', { offset: 8, size: 8 }],
  ['task_struct', 'thread', { offset: 16, size: 32 }],
  ['task_struct', 'thread.sp', { offset: 40, size: 8 }],
  ['task_struct', 'thread.tls[2]', { offset: 32, size: 8 }],
  ['task_struct', 'thread.tls', { offset: 16, size: 24 }],
  ['task_struct', 'threads[0].sp', { offset: 72, size: 8 }],
  ['task_struct', 'thread.tls[3]', undefined],
  ['task_struct', 'thread[0]', undefined],
  ['task_struct', 'mm.pgd', undefined],
  ['task_struct', 'absent', undefined],
  ['absent', 'mm', undefined],
  ['thread_t', 'sp', undefined],
  ['flags', 'high', { offset: 0, size: 0 }],
])('%s.%s is at %p', (struct, path, member) => expect(btf.member(struct, path)).toEqual(member));

test('sizes, per-CPU variables, and how many types there are', () => {
  expect(btf.size('task_struct')).toBe(96);
  expect(btf.size('absent')).toBeUndefined();
  expect([...btf.perCpu]).toEqual([['current_task', { offset: 0x40, size: 8 }]]);
  expect(btf.count).toBe(TYPES.length);
});

test('a circle of types ends', () => {
  const circle = new Btf(
    buildBtf([
      { kind: 'typedef', name: 'a', size: 2 },
      { kind: 'typedef', name: 'b', size: 1 },
      {
        kind: 'struct',
        name: 's',
        size: 8,
        members: [
          ['', 3, 0],
          ['x', 1, 0],
          ['y', 4, 0],
        ],
      },
      { kind: 'array', size: 4, length: 2 },
    ]),
    'image',
  );
  expect(circle.member('s', 'x')).toEqual({ offset: 0, size: 0 });
  expect(circle.member('s', 'y')).toEqual({ offset: 0, size: 0 });
  expect(circle.member('s', 'z')).toBeUndefined();
});

test.each<[string, (bytes: Buffer) => Uint8Array, RegExp]>([
  ['another magic number', (b) => b.fill(0, 0, 2), /expected the magic number eb9f, found 0;/],
  ['a short header', (b) => patched(b, 4, 8), /expected a header of at least 24 bytes, found 8;/],
  ['types past the end', (b) => patched(b, 12, 0xfffffff0), /expected the types at bytes .* found the end/],
  ['strings past the end', (b) => patched(b, 20, 0xfffffff0), /expected the strings at bytes .* found the end/],
  ['an unknown kind', (b) => patched(b, 28, 31 << 24), /expected a kind of type from 1 to 19 for type 1, found 31;/],
  ['a list that does not end', (b) => patched(b, 28, (4 << 24) | 0xffff), /expected type 1 at bytes/],
])('%s is one sentence', (_, edit, message) => {
  const bytes = edit(buildBtf(TYPES));
  expect(() => new Btf(bytes, 'image')).toThrow(message);
  expect(() => new Btf(bytes, 'image')).toThrow(/^image, \.BTF: expected [^\n]*\.$/);
});

function patched(bytes: Buffer, offset: number, value: number): Buffer {
  bytes.writeUInt32LE(value, offset);
  return bytes;
}
