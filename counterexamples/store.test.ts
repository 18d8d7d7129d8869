import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import * as fc from 'fast-check';
import { counterexamples, sample } from './arbitraries';
import { canonicalActions, canonicalTrace, caseFileName } from './canonical-trace';
import { CounterexampleError } from './counterexample-error';
import type { Counterexample } from './format';
import {
  listCounterexamples,
  probeFolder,
  readCounterexample,
  replaceCounterexample,
  saveCounterexample,
} from './store';

let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pti-check-store-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true, force: true }));

function kindOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof CounterexampleError) return error.kind;
    throw error;
  }
  return 'none';
}

/** The sample with one more instruction: another case. */
const other: Counterexample = { ...sample, actions: [...sample.actions, { action: 'run', cpu: 1, count: 1 }] };

describe('one case is one file', () => {
  test('its name says the property, the design and the trace', () => {
    expect(caseFileName(sample)).toMatch(/^scheduled-out-on-own-stack--deferred-percpu--[0-9a-f]{8}\.json$/);
    expect(caseFileName({ ...sample, mutant: 'm' })).toMatch(
      /^scheduled-out-on-own-stack--deferred-percpu\+m--[0-9a-f]{8}\.json$/,
    );
  });

  test('a name is never a path', () => {
    fc.assert(fc.property(counterexamples, (c) => expect(path.basename(caseFileName(c))).toBe(caseFileName(c))));
  });

  test('image, outcome and origin do not make another case, the trace and the bounds do', () => {
    const again = { ...sample, image: { sha256: 'f'.repeat(64) }, origin: { ...sample.origin, seed: 'b' } };
    expect(canonicalTrace(again)).toBe(canonicalTrace(sample));
    expect(canonicalTrace(other)).not.toBe(canonicalTrace(sample));
    expect(canonicalTrace({ ...sample, bounds: { ...sample.bounds, mms: 2 } })).not.toBe(canonicalTrace(sample));
  });

  test('adjacent runs are one run, and empty lists are none', () => {
    expect(
      canonicalActions([
        { action: 'run', cpu: 0, count: 2, choices: [1] },
        { action: 'run', cpu: 0, count: 0 },
        { action: 'run', cpu: 0, count: 3, choices: [2] },
        { action: 'run', cpu: 1, count: 0 },
        { action: 'nmi', cpu: 0 },
      ]),
    ).toEqual([
      { action: 'run', cpu: 0, count: 5, choices: [1, 2] },
      { action: 'nmi', cpu: 0 },
    ]);
    const bare = { ...sample, actions: [{ action: 'step' as const, cpu: 0, rule: 'syscall' }] };
    const padded = {
      ...sample,
      actions: [{ action: 'step' as const, cpu: 0, rule: 'syscall', args: [], choices: [] }],
    };
    expect(canonicalTrace(padded)).toBe(canonicalTrace(bare));
  });

  test('saved twice, it is there once and untouched', () => {
    const first = saveCounterexample(folder, sample);
    const before = fs.readFileSync(first.path, 'utf8');
    const second = saveCounterexample(folder, { ...sample, origin: { ...sample.origin, seed: 'later' } });
    expect([first.created, second.created]).toEqual([true, false]);
    expect(second.path).toBe(first.path);
    expect(fs.readFileSync(first.path, 'utf8')).toBe(before);
    expect(fs.readdirSync(folder)).toEqual([caseFileName(sample)]);
  });
});

describe('a case takes the place of one that was saved before', () => {
  test('which is gone when the new one is there', () => {
    const first = saveCounterexample(folder, sample);
    const second = replaceCounterexample(folder, first, other);
    expect(readCounterexample(second.path)).toEqual(other);
    expect(listCounterexamples(folder)).toEqual([second.path]);
  });

  test('unless somebody else had put it there, or it is the same case', () => {
    saveCounterexample(folder, sample);
    const theirs = saveCounterexample(folder, sample);
    replaceCounterexample(folder, theirs, other);
    expect(listCounterexamples(folder)).toHaveLength(2);
    const mine = saveCounterexample(folder, { ...sample, mutant: 'm' });
    expect(replaceCounterexample(folder, mine, { ...sample, mutant: 'm' })).toEqual(mine);
    expect(listCounterexamples(folder)).toHaveLength(3);
  });

  test('and stays where the new one cannot be written', () => {
    const first = saveCounterexample(folder, sample);
    const full = jest.spyOn(fs, 'writeFileSync').mockImplementation(() => {
      throw Object.assign(new Error('full'), { code: 'ENOSPC' });
    });
    try {
      expect(() => replaceCounterexample(folder, first, other)).toThrow(/full disk/);
    } finally {
      full.mockRestore();
    }
    expect(readCounterexample(first.path)).toEqual(sample);
  });
});

describe('nothing that was saved is lost', () => {
  test.each<[string, string]>([
    ['another case', 'another'],
    ['a damaged file', '{"format"'],
    ['an empty file', ''],
  ])('%s with the same eight digits keeps its name', (_, content) => {
    const taken = path.join(folder, caseFileName(sample));
    if (content === 'another') fs.renameSync(saveCounterexample(folder, other).path, taken);
    else fs.writeFileSync(taken, content);
    const before = fs.readFileSync(taken, 'utf8');
    const saved = saveCounterexample(folder, sample);
    expect(saved).toEqual({ path: path.join(folder, caseFileName(sample, 1)), created: true });
    expect(fs.readFileSync(taken, 'utf8')).toBe(before);
    expect(readCounterexample(saved.path)).toEqual(sample);
    expect(saveCounterexample(folder, sample)).toEqual({ ...saved, created: false });
  });

  test.each(['writeFileSync', 'fsyncSync', 'linkSync'] as const)(
    'a failure in %s leaves the folder as it was',
    (call) => {
      saveCounterexample(folder, other);
      const before = fs.readdirSync(folder);
      const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
      const failures = [jest.spyOn(fs, call), jest.spyOn(fs, 'renameSync')].map((spy) =>
        spy.mockImplementation(() => {
          throw full;
        }),
      );
      try {
        expect(() => saveCounterexample(folder, sample)).toThrow(
          /expected a folder that can be written, found a full disk/,
        );
      } finally {
        for (const failure of failures) failure.mockRestore();
      }
      expect(fs.readdirSync(folder)).toEqual(before);
      expect(readCounterexample(path.join(folder, before[0]))).toEqual(other);
    },
  );

  test('where hard links do not exist, a rename does it', () => {
    const none = jest.spyOn(fs, 'linkSync').mockImplementation(() => {
      throw Object.assign(new Error('no links'), { code: 'EPERM' });
    });
    try {
      expect(readCounterexample(saveCounterexample(folder, sample).path)).toEqual(sample);
    } finally {
      none.mockRestore();
    }
    expect(fs.readdirSync(folder)).toEqual([caseFileName(sample)]);
  });

  test('a file that another process makes in between is not replaced', () => {
    const target = path.join(folder, caseFileName(sample));
    const link = fs.linkSync;
    const race = jest.spyOn(fs, 'linkSync').mockImplementationOnce((from, to) => {
      fs.writeFileSync(target, 'theirs');
      link(from, to);
    });
    const saved = saveCounterexample(folder, sample);
    race.mockRestore();
    expect(fs.readFileSync(target, 'utf8')).toBe('theirs');
    expect(saved.path).toBe(path.join(folder, caseFileName(sample, 1)));
  });
});

describe('a folder is probed before it is needed', () => {
  test('it is made if it is missing, and nothing stays in it', () => {
    probeFolder(path.join(folder, 'a', 'b'));
    expect(fs.readdirSync(path.join(folder, 'a', 'b'))).toEqual([]);
  });

  test('a file in its place is one clear sentence', () => {
    const file = path.join(folder, 'file');
    fs.writeFileSync(file, '');
    for (const bad of [file, path.join(file, 'below')]) {
      expect(kindOf(() => probeFolder(bad))).toBe('unwritable');
      expect(() => probeFolder(bad)).toThrow(
        /: expected a folder that can be written, found a file .*; give another one with --save\.$/,
      );
    }
  });
});

describe('reading', () => {
  test('a missing file, a folder and an impossible name are unreadable', () => {
    expect(() => readCounterexample(path.join(folder, 'none.json'))).toThrow(/found no such file; check its name/);
    expect(kindOf(() => readCounterexample(folder))).toBe('unreadable');
    expect(kindOf(() => readCounterexample('a\0b'))).toBe('unreadable');
  });

  test('bytes that are no text are foreign, or damaged if they begin like ours', () => {
    const file = path.join(folder, 'x.json');
    fs.writeFileSync(file, Uint8Array.of(0x7f, 0x45, 0x4c, 0x46, 0xff));
    expect(kindOf(() => readCounterexample(file))).toBe('foreign');
    fs.writeFileSync(file, Uint8Array.of(0x7b, 0xff));
    expect(kindOf(() => readCounterexample(file))).toBe('damaged');
  });

  test('a folder lists its cases in a fixed order, and a missing one has none', () => {
    const paths = [saveCounterexample(folder, sample).path, saveCounterexample(folder, other).path];
    fs.writeFileSync(path.join(folder, '.1-ab.tmp'), '');
    fs.writeFileSync(path.join(folder, 'README.md'), '');
    expect(listCounterexamples(folder)).toEqual(paths.sort());
    expect(listCounterexamples(path.join(folder, 'none'))).toEqual([]);
  });
});
