import { readFileSync } from 'node:fs';
import { KERNEL_CODE, kernelAt, PML4, smallMachine } from '../testing/small-machine';
import { UnimplementedError } from '../unimplemented';
import { vaHi, vaLo } from '../words';
import { decodeAt } from './decoder';
import { decodeCheck, disassemble } from './disassemble';
import { HOT_CODES } from './hot-codes';
import {
  type MicroOp,
  OP_BRANCH,
  OP_CONTROL,
  OP_GS,
  OP_MEM_READ,
  OP_MEM_WRITE,
  OP_STACK,
  OP_WRITES_RSP,
} from './micro-op';

function decode(hex: string): MicroOp {
  return decodeAt(
    Uint8Array.from(Buffer.from(hex.padEnd(30, '90'), 'hex')),
    vaLo(KERNEL_CODE),
    vaHi(KERNEL_CODE),
  ) as MicroOp;
}

describe('decoder', () => {
  it('the cases of the hot switch have the numbers of their names', () => {
    const source = readFileSync(`${__dirname}/../cpu/execute.ts`, 'utf8');
    const cases = [...source.matchAll(/case (\d+): \/\/ (\w+)/g)].map((match) => [Number(match[1]), match[2]]);
    expect(cases).toEqual(HOT_CODES.map((name, code) => [code, name]).slice(1));
  });

  it.each([
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

  it('undefined bytes are #UD, an instruction out of coverage is a typed error', () => {
    const small = smallMachine();
    kernelAt(small, '06');
    small.machine.step(0);
    expect(small.cpu.event.vector).toBe(6);
    for (const hex of ['0f58c1', '0fa2', '0f31', 'dbe3', 'f30f5ac1']) {
      kernelAt(small, hex);
      expect(() => small.machine.step(0)).toThrow(UnimplementedError);
      expect(() => small.machine.step(0)).toThrow(new RegExp(`${hex}\\)`));
    }
  });

  it('text is AT&T, with the symbol that a branch leads to', () => {
    const small = smallMachine();
    kernelAt(small, '65488b242514000000 e802000000');
    expect(disassemble(small.machine, PML4, KERNEL_CODE)).toMatch(/^mov\w* +%gs:\(?0x14\)?,%rsp$/);
    const symbols = { symbolAt: (va: number) => ({ name: 'f', offset: va - KERNEL_CODE - 12 }) };
    expect(disassemble(small.machine, PML4, KERNEL_CODE + 9, symbols)).toMatch(/<f\+0x4>$/);
    expect(disassemble(small.machine, PML4, 0x123456789)).toBe('(not mapped)');
  });

  it('the check of an image names the first instruction out of coverage and skips padding', () => {
    const data = Uint8Array.from(Buffer.from('061790cc0fa2', 'hex'));
    const section = { name: '.entry.text', addr: KERNEL_CODE, size: data.length, flags: 6 };
    const image = { sections: [section], segments: [{ vaddr: KERNEL_CODE, filesz: data.length, data }] };
    expect(decodeCheck(image)).toEqual({ section: '.entry.text', va: KERNEL_CODE + 4, bytes: '0fa2', text: 'cpuid' });
    expect(decodeCheck({ ...image, sections: [{ ...section, size: 4 }] })).toBeUndefined();
  });
});
