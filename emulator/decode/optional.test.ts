/**
 * Promise: what a platform does not offer is #UD or an UnimplementedError, as the platform says, and never executed.
 */
import { Decoder, DecoderOptions } from 'iced-x86';
import type { OptionalInstruction } from '../platform';
import { CPL, RAX, RBX, RCX, RSP, VEC_GP, VEC_UD } from '../registers';
import { RETIRED } from '../step-result';
import { GUEST_PLATFORM } from '../system/guest-platform';
import { expectFault, expectPageFault } from '../testing/expectations';
import { fullPlatform } from '../testing/full-platform';
import { KERNEL, KERNEL_STACK, kernelAt, setRegister, smallMachine, userAt } from '../testing/small-machine';
import { UnimplementedError } from '../unimplemented';
import { isImplemented } from './decoder';
import { lookUp } from './instruction-table';

const EXAMPLES: readonly [OptionalInstruction, string, string][] = [
  ['clflush', 'clflush (%rbx)', '0fae3b'],
  ['cmpxchg16b', 'lock cmpxchg8b (%rbx)', 'f00fc70b'],
  ['cmpxchg16b', 'lock cmpxchg16b (%rbx)', 'f0480fc70b'],
  ['cpuid', 'cpuid', '0fa2'],
  ['fpu-state', 'fxsave64 (%rbx)', '480fae03'],
  ['fpu-state', 'fxrstor64 (%rbx)', '480fae0b'],
  ['fpu-state', 'fninit', 'dbe3'],
  ['fpu-state', 'fnclex', 'dbe2'],
  ['fpu-state', 'fwait', '9b'],
  ['ldt', 'lldt %ax', '0f00d0'],
  ['ldt', 'sldt %eax', '0f00c0'],
  ['rdpid', 'rdpid %rax', 'f30fc7f8'],
  ['rdtsc', 'rdtsc', '0f31'],
  ['rdtscp', 'rdtscp', '0f01f9'],
  ['scan-with-f3', 'tzcnt %rcx,%rax', 'f3480fbcc1'],
  ['scan-with-f3', 'lzcnt %rcx,%rax', 'f3480fbdc1'],
  ['wide-port-read', 'in $0xc2,%eax', 'e5c2'],
  ['xgetbv', 'xgetbv', '0f01d0'],
];

test('there is an example of each', () => {
  const named = new Set<string>(EXAMPLES.map(([name]) => name));
  expect([...named].sort()).toEqual(Object.keys(GUEST_PLATFORM.instructions).sort());
});

test.each(EXAMPLES)(
  '%s: "%s" is a typed error for a guest, and an image with it does not pass the check',
  (name, _text, hex) => {
    const small = smallMachine();
    kernelAt(small, hex);
    expect(() => small.machine.step(0)).toThrow(UnimplementedError);
    const decoder = new Decoder(64, Buffer.from(hex, 'hex'), DecoderOptions.None);
    const instruction = decoder.decode();
    expect(isImplemented(instruction, GUEST_PLATFORM)).toBe(false);
    expect(isImplemented(instruction, fullPlatform())).toBe(true);
    expect(lookUp(instruction.code)?.optional).toBe(name);
    instruction.free();
    decoder.free();
  },
);

test.each(EXAMPLES)(
  '%s: "%s" is #UD where the platform says that the processor does not have it',
  (name, _text, hex) => {
    const platform = fullPlatform();
    const small = smallMachine(1, {
      ...platform,
      instructions: { ...platform.instructions, [name]: 'undefined' },
    });
    kernelAt(small, hex);
    setRegister(small.cpu, RSP, KERNEL_STACK);
    expectFault(small, VEC_UD);
  },
);

describe('where they are executed', () => {
  const small = smallMachine(1, fullPlatform());
  const { cpu, machine } = small;
  const run = (hex: string, registers: [number, bigint][]) => {
    kernelAt(small, hex);
    setRegister(cpu, RSP, KERNEL_STACK);
    for (const [register, value] of registers) setRegister(cpu, register, value);
    return machine.step(0);
  };

  test('TZCNT is BSF and LZCNT is BSR, as on a processor that ignores their F3', () => {
    for (const [hex, source, expected] of [
      ['f3480fbcc1', 0x100n, 8n], // tzcnt %rcx,%rax
      ['f3480fbdc1', 0x100n, 8n], // lzcnt %rcx,%rax
      ['f3480fbcc1', 0n, 77n], // tzcnt %rcx,%rax
    ] as const) {
      const before: [number, bigint][] = [
        [RAX, 77n],
        [RCX, source],
      ];
      expect([run(hex, before), cpu.get64(RAX), cpu.rflags() & 0x40]).toEqual([
        RETIRED,
        expected,
        source === 0n ? 64 : 0,
      ]);
    }
  });

  test('LLDT loads a null selector, which SLDT stores; another one is a typed error, and user code gets #GP', () => {
    expect([run('0f00d0', [[RAX, 3n]]), run('0f00c1', [[RCX, -1n]]), cpu.get64(RCX)]).toEqual([RETIRED, RETIRED, 3n]);
    expect(() => run('0f00d0', [[RAX, 0x48n]])).toThrow('a local descriptor table'); // lldt %ax
    userAt(small, '0f00d0'); // lldt %ax
    expectFault(small, VEC_GP, 0);
    cpu.r[CPL] = 0;
    cpu.refresh();
  });

  test('CLFLUSH faults as a load does', () => {
    expect(run('0fae3b', [[RBX, BigInt(KERNEL)]])).toBe(RETIRED); // clflush (%rbx)
    expectPageFault(small, run('0fae3b', [[RBX, BigInt(KERNEL + 0x200000)]]), 0); // clflush (%rbx)
  });
});
