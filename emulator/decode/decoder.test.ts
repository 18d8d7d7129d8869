import { readFileSync } from 'node:fs';
import { decodeCheck, disassemble } from '../disassemble';
import {
  type MicroOp,
  OP_BRANCH,
  OP_CONTROL,
  OP_GS,
  OP_MEM_READ,
  OP_MEM_WRITE,
  OP_STACK,
  OP_WRITES_RSP,
} from '../micro-op';
import { R8, RAX, RSP, VEC_UD } from '../registers';
import { GUEST_PLATFORM } from '../system/guest-platform';
import { KERNEL_CODE, KERNEL_STACK, kernelAt, PML4, setRegister, smallMachine } from '../testing/small-machine';
import { UnimplementedError } from '../unimplemented';
import { vaHi, vaLo } from '../words';
import { decodeAt } from './decoder';
import { HOT_CODES } from './hot-codes';

function decode(hex: string): MicroOp {
  return decodeAt(
    Uint8Array.from(Buffer.from(hex.padEnd(30, '90'), 'hex')),
    vaLo(KERNEL_CODE),
    vaHi(KERNEL_CODE),
    GUEST_PLATFORM,
  ) as MicroOp;
}

describe('decoder', () => {
  test('the cases of the hot switch have the numbers of their names', () => {
    const source = readFileSync(`${__dirname}/../execute.ts`, 'utf8');
    const cases = [...source.matchAll(/case (\d+): \/\/ (\w+)/g)].map((match) => [Number(match[1]), match[2]]);
    expect(cases).toEqual(HOT_CODES.map((name, code) => [code, name]).slice(1));
  });

  test.each([
    ['mov %gs:0x14,%rsp', '65488b242514000000', OP_GS | OP_WRITES_RSP | OP_MEM_READ],
    ['push %rax', '50', OP_STACK],
    ['pop %rsp', '5c', OP_STACK | OP_WRITES_RSP],
    ['call', 'e800000000', OP_STACK | OP_BRANCH],
    ['ret', 'c3', OP_STACK | OP_BRANCH],
    ['add $8,%rsp', '4883c408', OP_WRITES_RSP],
    ['cmp $8,%rsp', '4883fc08', 0],
    ['mov %rcx,(%rbx)', '48890b', OP_MEM_WRITE],
    ['add %rcx,(%rbx)', '48010b', OP_MEM_READ | OP_MEM_WRITE],
    ['xchg %rsp,%rax', '4894', OP_WRITES_RSP],
    ['mov %rax,%cr3', '0f22d8', OP_CONTROL],
    ['iretq', '48cf', OP_CONTROL | OP_STACK | OP_WRITES_RSP],
    ['swapgs', '0f01f8', OP_CONTROL],
    ['je', '7400', OP_BRANCH],
  ])('flags of %s', (_name, hex, flags) => {
    const known = OP_GS | OP_STACK | OP_WRITES_RSP | OP_CONTROL | OP_BRANCH | OP_MEM_READ | OP_MEM_WRITE;
    expect(decode(hex).flags & known).toBe(flags);
  });

  test('undefined bytes are #UD, an instruction out of coverage is a typed error', () => {
    const small = smallMachine();
    kernelAt(small, '06'); // push %es, undefined in 64-bit mode
    small.machine.step(0);
    expect(small.cpu.event.vector).toBe(VEC_UD);
    for (const hex of [
      '0f58c1', // addps %xmm1,%xmm0
      '0fa2', // cpuid
      '0f31', // rdtsc
      'dbe3', // fninit
      'f30f5ac1', // cvtss2sd %xmm1,%xmm0
      '669c', // pushfw
      '669d', // popfw
      'c8100000', // enter $16,$0
      '66c8100000', // enterw $16,$0
      '66cb', // lretw
      'cf', // iretd
      '66cf', // iretw
      '0f07', // sysretl
      '0fb423', // lfs (%rbx),%esp
      '67a4', // movsb with 32-bit addresses
    ]) {
      kernelAt(small, hex);
      expect(() => small.machine.step(0)).toThrow(UnimplementedError);
      expect(() => small.machine.step(0)).toThrow(new RegExp(`${hex}\\)`));
    }
  });

  test('an instruction of more than 15 bytes is #GP(0), one of 15 is executed, an undefined one is #UD', () => {
    const small = smallMachine();
    for (const [hex, vector] of [
      [`${'66'.repeat(15)}90`, 13], // 15 prefixes, nop
      [`${'66'.repeat(14)}90`, -1], // 14 prefixes, nop
      [`${'66'.repeat(9)}48c7c001000000`, 13], // 9 prefixes, mov $1,%rax: 16 bytes
      [`${'3e'.repeat(8)}48c7c001000000`, -1], // 8 prefixes, mov $1,%rax: 15 bytes
      [`2e3e2e3e2e6667${'48c78080000000010000'}`, 13], // 7 prefixes, movq $imm,0x80(%eax): 18 bytes
      [`${'3e'.repeat(13)}c7ff`, 6], // an undefined form of c7
      [`${'66'.repeat(14)}90`.replace(/^66/, 'f0'), 6], // LOCK on nop
    ] as const) {
      kernelAt(small, hex);
      small.cpu.event.vector = -1;
      small.machine.step(0);
      expect([hex, small.cpu.event.vector]).toEqual([hex, vector]);
      setRegister(small.cpu, RSP, KERNEL_STACK);
    }
  });

  test('F3 90 is PAUSE, with REX.B it is XCHG %r8,%rax', () => {
    const small = smallMachine();
    for (const [hex, rax, r8] of [
      ['f390', 1n, 2n], // pause
      ['f34890', 1n, 2n], // rex.W pause
      ['f34990', 2n, 1n], // repz xchg %r8,%rax
      ['f34190', 2n, 1n], // repz xchg %r8d,%eax
      ['66f34190', 2n, 1n], // repz xchg %r8w,%ax
    ] as const) {
      setRegister(small.cpu, RAX, 1n);
      setRegister(small.cpu, R8, 2n);
      kernelAt(small, hex);
      small.machine.step(0);
      expect([hex, small.cpu.get64(RAX), small.cpu.get64(R8)]).toEqual([hex, rax, r8]);
    }
  });

  test('text is AT&T, with the symbol that a branch leads to', () => {
    const small = smallMachine();
    kernelAt(small, '65488b242514000000 e802000000'); // mov %gs:0x14,%rsp; call .+7
    expect(disassemble(small.machine, PML4, KERNEL_CODE)).toMatch(/^mov\w* +%gs:\(?0x14\)?,%rsp$/);
    const symbols = { symbolAt: (va: number) => ({ name: 'f', offset: va - KERNEL_CODE - 12 }) };
    expect(disassemble(small.machine, PML4, KERNEL_CODE + 9, symbols)).toMatch(/<f\+0x4>$/);
    expect(disassemble(small.machine, PML4, 0x123456789)).toBe('(not mapped)');
  });

  test('the check of an image names the first instruction out of coverage and skips padding', () => {
    // two undefined bytes; nop; int3; cpuid
    const data = Uint8Array.from(Buffer.from('061790cc0fa2', 'hex'));
    const section = { name: '.entry.text', addr: KERNEL_CODE, size: data.length, flags: 6 };
    const image = { sections: [section], segments: [{ vaddr: KERNEL_CODE, filesz: data.length, data }] };
    // cpuid
    expect(decodeCheck(image)).toEqual({ section: '.entry.text', va: KERNEL_CODE + 4, bytes: '0fa2', text: 'cpuid' });
    expect(decodeCheck({ ...image, sections: [{ ...section, size: 4 }] })).toBeUndefined();
  });
});
