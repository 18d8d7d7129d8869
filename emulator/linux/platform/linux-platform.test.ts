/** Promise: what a kernel finds on its board: processor features as they were asked for, MSRs, console, clock. */
import { Machine } from '../../machine';
import { CpuFeatureError, readCpuFeatures } from './cpu-features';
import { LinuxPlatform } from './linux-platform';

function board(features = '') {
  const platform = new LinuxPlatform({ features: readCpuFeatures(features), tscHz: 100e6, startUp: () => {} });
  const image = { entry: 0, segments: [], symbol: () => undefined };
  const machine = new Machine(image, { cpus: 2, ramBytes: 1 << 20, platform });
  const [cpu] = machine.cpus;
  return { platform, machine, cpu };
}

function cpuid(features: string, leaf: number, subleaf = 0, c = 0): number[] {
  const { platform, machine } = board(features);
  const answer = new Int32Array(4);
  platform.cpuid(machine.cpus[c], leaf, subleaf, answer);
  return [...answer].map((word) => word >>> 0);
}

test('the processor is one that Meltdown works on: Intel, family 6, and no RDCL_NO unless it is asked for', () => {
  const [, b, c, d] = cpuid('', 0);
  expect(Buffer.from(Int32Array.of(b, d, c).buffer).toString('latin1')).toBe('GenuineIntel');
  expect((cpuid('', 1)[0] >>> 8) & 0xf).toBe(6);
  expect([board().platform.msrs.has(0x10a), board('rdcl-no').platform.msrs.get(0x10a)]).toEqual([
    false,
    { kind: 'constant', lo: 1, hi: 0, write: 'fault' },
  ]);
});

test('an AMD processor says so in CPUID, and executes as one', () => {
  const [, b, c, d] = cpuid('amd', 0);
  expect(Buffer.from(Int32Array.of(b, d, c).buffer).toString('latin1')).toBe('AuthenticAMD');
  expect(cpuid('amd', 0x80000000).slice(1)).toEqual([b, c, d]);
  // Family 15 + 8 = 17h.
  expect([(cpuid('amd', 1)[0] >>> 8) & 0xf, (cpuid('amd', 1)[0] >>> 20) & 0xff]).toEqual([15, 8]);
  expect([board('').platform.vendor, board('amd').platform.vendor]).toEqual(['intel', 'amd']);
});

test('a feature is a bit of CPUID, on or off as the list says; the last word about one counts', () => {
  const pcid = (features: string) => (cpuid(features, 1)[2] >>> 17) & 1;
  expect([pcid(''), pcid('no-pcid'), pcid('no-pcid, pcid'), pcid('ibrs')]).toEqual([1, 0, 1, 1]);
  expect([cpuid('', 7)[3], cpuid('ibrs', 7)[3], cpuid('ibrs', 7, 1)[3]]).toEqual([0, 1 << 26, 0]);
  expect(() => readCpuFeatures('pcid,no-such')).toThrow(CpuFeatureError);
});

test('an instruction is there if its feature is', () => {
  const offers = (features: string) => {
    const { instructions } = board(features).platform;
    return [instructions.rdtscp, instructions.rdpid];
  };
  expect([offers(''), offers('no-rdtscp,rdpid')]).toEqual([
    ['executed', 'undefined'],
    ['undefined', 'executed'],
  ]);
});

test('each CPU has its own APIC id; the frequency of the clock is told; leaves that there are not are 0', () => {
  expect([cpuid('', 1, 0, 0)[1] >>> 24, cpuid('', 1, 0, 1)[1] >>> 24]).toEqual([0, 1]);
  expect([cpuid('', 0x15), cpuid('', 0x15, 1), cpuid('', 0xb)]).toEqual([
    [1, 1, 100e6, 0],
    [0, 0, 0, 0],
    [0, 0, 0, 0],
  ]);
});

test('MSR 48h has the bits of the features that it is made of', () => {
  const rule = (features: string) => board(features).platform.msrs.get(0x48);
  expect([rule(''), rule('ibrs,ssbd')]).toEqual([undefined, expect.objectContaining({ writableLo: 5, writableHi: 0 })]);
});

test('machine checks are a bit of CPUID, and banks of which none tells of an error; only Intel has those of one CPU', () => {
  const bits = (features: string) => (cpuid(features, 1)[3] >>> 0) & 0x4080;
  expect([bits(''), bits('amd'), bits('no-mce')]).toEqual([0x4080, 0x4080, 0]);
  const seen = (features: string) => {
    const { platform } = board(features);
    const at = (number: number) => {
      const rule = platform.msrs.get(number);
      return rule?.kind === 'constant' ? rule.lo : rule?.kind;
    };
    return [[0x3a, 0x179, 0x17a, 0x401, 0x405, 0x409, 0x4d0].map(at), platform.machineCheckStatus];
  };
  expect(seen('')).toEqual([[0x100001, 0x9000002, 'stored', 'stored', 'stored', undefined, 'stored'], 0xd]);
  expect(seen('amd')).toEqual([[undefined, 2, 'stored', 'stored', 'stored', undefined, undefined], 5]);
  expect(seen('no-mce')).toEqual([Array(7).fill(undefined), 0]);
});

describe('the console', () => {
  const { platform, machine, cpu } = board();
  const read = (port: number) => platform.readPort(cpu, 0x3f8 + port, 1);
  const write = (port: number, value: number) => platform.writePort(cpu, 0x3f8 + port, 1, value);

  test('is found by its registers: interrupt enable, scratch, loop, FIFOs', () => {
    write(1, 0xff);
    write(7, 0x5a);
    write(4, 0x1a);
    write(2, 1);
    expect([read(1), read(7), read(6) & 0xf0, read(2)]).toEqual([0xf, 0x5a, 0x90, 0xc1]);
    write(0, 0x78);
    expect(platform.console.text).toBe('');
    write(4, 3);
    expect([read(6), read(5)]).toEqual([0xb0, 0x60]);
  });

  test('has a divisor where LCR says so', () => {
    write(3, 0x83);
    write(0, 12);
    write(1, 1);
    expect([read(0), read(1)]).toEqual([12, 1]);
    write(3, 3);
    expect([read(0), read(1), read(3)]).toEqual([0, 0xf, 3]);
  });

  test('keeps what is sent, however much it is, until a rollback takes it back', () => {
    write(0, 0x41);
    const mark = machine.mark();
    for (let i = 0; i < 40_000; i++) write(0, 0x42);
    expect(platform.console.text).toBe(`A${'B'.repeat(40_000)}`);
    machine.rollback(mark);
    write(0, 0x43);
    expect(platform.console.text).toBe('AC');
  });
});

test('the clock on the wall stands still; other ports read as ones', () => {
  const { platform, cpu } = board();
  const clock = (register: number) => {
    platform.writePort(cpu, 0x70, 1, register | 0x80);
    return platform.readPort(cpu, 0x71, 1);
  };
  expect([9, 8, 7, 0xa, 0xd].map(clock)).toEqual([0, 1, 1, 0x26, 0x80]);
  expect([1, 2, 4].map((size) => platform.readPort(cpu, 0xcf8, size))).toEqual([0xff, 0xffff, -1]);
});

test('skipped time is part of the clock, beyond 32 bits, too, and a rollback takes it back', () => {
  const { platform, machine } = board();
  const mark = machine.mark();
  platform.skipTime(0xffffffff);
  platform.skipTime(2);
  expect(platform.readTsc()).toBe(0x100000001);
  machine.rollback(mark);
  expect(platform.readTsc()).toBe(0);
});
