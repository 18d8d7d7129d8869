import fc from 'fast-check';
import { NULL_OBSERVER } from '../observer';
import { CR2, EFLAGS, FLAG_DF, GS_BASE, RAX, RBP, RBX, RCX, RDI, RDX, RSI, RSP, VEC_GP } from '../registers';
import { FAULTED, RETIRED } from '../step-result';
import {
  KERNEL,
  KERNEL_CODE,
  KERNEL_STACK,
  kernelAt,
  leafEntry,
  observe,
  peek,
  poke,
  put64,
  setRegister,
  smallMachine,
} from '../testing/small-machine';

const small = smallMachine();
const { cpu, machine } = small;
const DATA = KERNEL + 0x50000;
const word = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
const mask64 = (1n << 64n) - 1n;

function run(hex: string, steps = 1): void {
  kernelAt(small, hex);
  for (let i = 0; i < steps; i++) expect(machine.step(0)).toBe(RETIRED);
}

describe('effective addresses', () => {
  test('are base + index * scale + displacement modulo 2^64', () => {
    fc.assert(
      fc.property(
        word,
        word,
        fc.integer({ min: 0, max: 3 }),
        fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
        (base, index, scale, disp) => {
          setRegister(cpu, RBX, base);
          setRegister(cpu, RCX, index);
          const displacement = Buffer.alloc(4);
          displacement.writeInt32LE(disp);
          run(`488d84${((scale << 6) | 0x0b).toString(16).padStart(2, '0')}${displacement.toString('hex')}`);
          expect(cpu.get64(RAX)).toBe((base + (index << BigInt(scale)) + BigInt(disp)) & mask64);
        },
      ),
    );
  });

  test('are cut to 32 bits by an address-size prefix before the segment base is added', () => {
    poke(machine, DATA, 77n);
    setRegister(cpu, GS_BASE, BigInt(DATA) - 0x10n);
    setRegister(cpu, RBX, 0xffffffff00000010n);
    run('6567488b03'); // mov %gs:(%ebx),%rax
    expect(cpu.get64(RAX)).toBe(77n);
  });

  test('of a bit string are cut to 32 bits after the bit offset moved them', () => {
    const small32 = smallMachine();
    for (const [hex, base] of [
      ['670fb303', 0xfffffffcn], // btr %eax,(%ebx)
      ['670fb30425fcffffff', 0n], // btr %eax,0xfffffffc (32-bit address)
      ['670fb305f5dffcff', 0n], // btr %eax,-0x3200b(%eip)
    ] as const) {
      kernelAt(small32, hex);
      setRegister(small32.cpu, RSP, KERNEL_STACK);
      setRegister(small32.cpu, RBX, base);
      setRegister(small32.cpu, RAX, 0x20000000n);
      expect([small32.machine.step(0), small32.cpu.event.vector]).toEqual([FAULTED, 14]);
      const rip32 = (KERNEL_CODE + 8 - 0x3200b) >>> 0;
      const offset = hex.startsWith('670fb305') ? rip32 : 0xfffffffc;
      expect(small32.cpu.get64(CR2)).toBe(BigInt((offset + 0x4000000) >>> 0));
    }
    setRegister(cpu, RBX, BigInt(DATA + 8));
    setRegister(cpu, RAX, BigInt.asUintN(64, -64n));
    poke(machine, DATA, 1n);
    run('480fb303'); // btr %rax,(%rbx)
    expect(peek(machine, DATA)).toBe(0n);
  });

  test('LEA has no segment base', () => {
    setRegister(cpu, RBX, 5n);
    run('65488d03'); // lea (%rbx),%rax
    expect(cpu.get64(RAX)).toBe(5n);
  });
});

describe('moves', () => {
  test('32-bit writes clear the upper half, narrower ones keep it', () => {
    const all = 0xffffffffffffffffn;
    for (const [hex, expected] of [
      ['b811223344', 0x44332211n], // mov $0x44332211,%eax
      ['66b81122', 0xffffffffffff2211n], // mov $0x2211,%ax
      ['b011', 0xffffffffffffff11n], // mov $0x11,%al
      ['b411', 0xffffffffffff11ffn], // mov $0x11,%ah
    ] as const) {
      setRegister(cpu, RAX, all);
      run(hex);
      expect(cpu.get64(RAX)).toBe(expected);
    }
  });

  test('MOVZX, MOVSX, MOVSXD, CBW..CQO', () => {
    setRegister(cpu, RCX, 0xffffffff8000ff80n);
    for (const [hex, expected] of [
      ['480fb6c1', 0x80n], // movzbq %cl,%rax
      ['480fb7c1', 0xff80n], // movzwq %cx,%rax
      ['480fbec1', 0xffffffffffffff80n], // movsbq %cl,%rax
      ['480fbfc1', 0xffffffffffffff80n], // movswq %cx,%rax
      ['4863c1', 0xffffffff8000ff80n], // movslq %ecx,%rax
      ['0fbec1', 0xffffff80n], // movsbl %cl,%eax
    ] as const) {
      run(hex);
      expect(cpu.get64(RAX)).toBe(expected);
    }
    setRegister(cpu, RAX, 0x80n);
    run('6698 98 4898 4899', 4); // cbw; cwde; cdqe; cqo
    expect([cpu.get64(RAX), cpu.get64(RDX)]).toEqual([0xffffffffffffff80n, mask64]);
  });

  test('CMOV without its condition still clears the upper half of a 32-bit destination', () => {
    setRegister(cpu, RAX, mask64);
    setRegister(cpu, RCX, 1n);
    run('31d2 0f45c1', 2); // xor %edx,%edx; cmovne %ecx,%eax
    expect(cpu.get64(RAX)).toBe(0xffffffffn);
  });

  test('XCHG with memory stores before it loads the register, and faults whole', () => {
    poke(machine, DATA, 5n);
    setRegister(cpu, RBX, BigInt(DATA));
    setRegister(cpu, RAX, 9n);
    run('488703'); // xchg %rax,(%rbx)
    expect([cpu.get64(RAX), peek(machine, DATA)]).toEqual([5n, 9n]);
  });
});

describe('stack', () => {
  test('PUSH %rsp pushes the old value, POP %rsp loads the popped one', () => {
    setRegister(cpu, RSP, BigInt(KERNEL_STACK));
    run('54'); // push %rsp
    expect(peek(machine, KERNEL_STACK - 8)).toBe(BigInt.asUintN(64, BigInt(KERNEL_STACK)));
    poke(machine, KERNEL_STACK - 8, 0x1234n);
    run('5c'); // pop %rsp
    expect(cpu.get64(RSP)).toBe(0x1234n);
  });

  test('POP to an rsp-relative place uses the incremented rsp; LEAVE and RET imm', () => {
    setRegister(cpu, RSP, BigInt(KERNEL_STACK - 32));
    poke(machine, KERNEL_STACK - 32, 42n);
    run('8f0424'); // popq (%rsp)
    expect(peek(machine, KERNEL_STACK - 24)).toBe(42n);
    setRegister(cpu, RBP, BigInt(KERNEL_STACK - 64));
    poke(machine, KERNEL_STACK - 64, 7n);
    poke(machine, KERNEL_STACK - 56, BigInt.asUintN(64, BigInt(KERNEL_CODE)));
    run('c9 c21000', 2); // leave; ret $0x10
    expect([cpu.get64(RBP), cpu.rsp(), cpu.rip()]).toEqual([7n, KERNEL_STACK - 56 + 8 + 16, KERNEL_CODE]);
  });

  test('POP to a place that cannot be written, and LEAVE from one that cannot be read, change nothing', () => {
    const unmapped = 0x7000_0000n;
    setRegister(cpu, RSP, BigInt(KERNEL_STACK - 32));
    setRegister(cpu, RBX, unmapped);
    const faults: number[][] = [];
    observe(small, { faulted: ({ r }, fault) => faults.push([fault.vector, fault.addressLo, r[RSP], r[RBP]]) });
    kernelAt(small, '8f03'); // popq (%rbx)
    expect(machine.step(0)).toBe(FAULTED);
    setRegister(cpu, RSP, BigInt(KERNEL_STACK));
    setRegister(cpu, RBP, unmapped);
    kernelAt(small, 'c9'); // leave
    expect(machine.step(0)).toBe(FAULTED);
    setRegister(cpu, RSP, BigInt(KERNEL_STACK));
    setRegister(cpu, RBP, 1n << 60n);
    kernelAt(small, 'c9'); // leave
    expect(machine.step(0)).toBe(FAULTED);
    machine.observer = NULL_OBSERVER;
    expect(faults.map(([vector]) => vector)).toEqual([14, 14, 12]);
    expect(faults[0].slice(1, 3)).toEqual([Number(unmapped), (KERNEL_STACK - 32) | 0]);
    expect(faults[1].slice(1)).toEqual([Number(unmapped), KERNEL_STACK | 0, Number(unmapped)]);
  });

  test('CALL and JMP through memory; a non-canonical target faults in the instruction', () => {
    setRegister(cpu, RSP, BigInt(KERNEL_STACK));
    setRegister(cpu, RBX, BigInt(DATA));
    poke(machine, DATA, BigInt(KERNEL_CODE + 0x100));
    run('ff13'); // callq *(%rbx)
    expect([cpu.rip(), peek(machine, KERNEL_STACK - 8)]).toEqual([
      KERNEL_CODE + 0x100,
      BigInt.asUintN(64, BigInt(KERNEL_CODE + 2)),
    ]);
    poke(machine, DATA, 1n << 60n);
    kernelAt(small, 'ff23'); // jmpq *(%rbx)
    expect(machine.step(0)).toBe(FAULTED);
    expect(cpu.event.vector).toBe(VEC_GP);
  });
});

describe('string instructions', () => {
  test('CMPS with two operands that fault faults at RDI', () => {
    const small = smallMachine();
    kernelAt(small, 'a6'); // cmpsb (%rdi),(%rsi)
    setRegister(small.cpu, RSI, 0x5000n);
    setRegister(small.cpu, RDI, 0x6000n);
    expect(small.machine.step(0)).toBe(FAULTED);
    expect(small.cpu.get64(CR2)).toBe(0x6000n);
  });

  const prepare = (count: number, from: number, to: number) => {
    setRegister(cpu, RCX, count);
    setRegister(cpu, RSI, BigInt(from));
    setRegister(cpu, RDI, BigInt(to));
    cpu.r[EFLAGS] &= ~FLAG_DF;
    setRegister(cpu, RSP, BigInt(KERNEL_STACK));
  };

  test('REP MOVS copies one element a step, so an NMI fits between', () => {
    poke(machine, DATA, 0x1111n);
    poke(machine, DATA + 8, 0x2222n);
    prepare(2, DATA, DATA + 0x100);
    kernelAt(small, 'f348a590'); // rep movsq (%rsi),(%rdi); nop
    machine.step(0);
    expect([cpu.get64(RCX), cpu.rip(), peek(machine, DATA + 0x108)]).toEqual([1n, KERNEL_CODE, 0n]);
    machine.step(0);
    expect([cpu.get64(RCX), cpu.rip(), peek(machine, DATA + 0x108)]).toEqual([0n, KERNEL_CODE + 3, 0x2222n]);
  });

  test('rcx = 0 does nothing; DF goes downwards; STOS and LODS', () => {
    prepare(0, DATA, DATA);
    run('f3aa'); // rep stos %al,(%rdi)
    expect(cpu.get64(RDI)).toBe(BigInt.asUintN(64, BigInt(DATA)));
    prepare(2, DATA + 8, DATA + 0x208);
    run('fd f348a5 f348a5 fc', 4); // std; rep movsq (%rsi),(%rdi); rep movsq (%rsi),(%rdi); cld
    expect([peek(machine, DATA + 0x200), peek(machine, DATA + 0x208)]).toEqual([0x1111n, 0x2222n]);
    setRegister(cpu, RAX, 0xabn);
    prepare(0, DATA, DATA + 0x300);
    run('aa 48ad', 2); // stos %al,(%rdi); lods (%rsi),%rax
    expect([peek(machine, DATA + 0x300) & 0xffn, cpu.get64(RAX)]).toEqual([0xabn, 0x1111n]);
  });

  test('the source of a string instruction may have a segment, the destination never', () => {
    setRegister(cpu, GS_BASE, 0x100n);
    setRegister(cpu, RSI, BigInt(DATA + 0x400 - 0x100));
    setRegister(cpu, RDI, BigInt(DATA + 0x440));
    poke(machine, DATA + 0x400, 0x1122334455667788n);
    run('6548a5'); // movsq %gs:(%rsi),(%rdi)
    expect(peek(machine, DATA + 0x440)).toBe(0x1122334455667788n);
  });

  test('REPNE SCAS and REPE CMPS stop at the element that decides', () => {
    machine.memory.writeBytes(0x50400, Buffer.from('abcXabcY'));
    prepare(8, DATA + 0x400, DATA + 0x400);
    setRegister(cpu, RAX, 'X'.charCodeAt(0));
    run('f2ae', 4); // repne scas (%rdi),%al
    expect([cpu.get64(RCX), cpu.rip()]).toEqual([4n, KERNEL_CODE + 2]);
    prepare(4, DATA + 0x400, DATA + 0x404);
    run('f3a6', 4); // repe cmpsb (%rdi),(%rsi)
    expect([cpu.get64(RCX), cpu.rflags() & 0x40]).toEqual([0n, 0]);
  });

  test('a fault in the middle keeps what is done and restarts there', () => {
    put64(machine, leafEntry(DATA + 0x1000), 0);
    prepare(2, DATA, DATA + 0xff8);
    kernelAt(small, 'f348a5'); // rep movsq (%rsi),(%rdi)
    expect([machine.step(0), machine.step(0)]).toEqual([RETIRED, FAULTED]);
    expect([cpu.get64(RCX), peek(machine, DATA + 0xff8)]).toEqual([1n, 0x1111n]);
  });
});

describe('branches', () => {
  test('LOOP and JRCXZ count rcx', () => {
    setRegister(cpu, RCX, 3n);
    setRegister(cpu, RAX, 0n);
    kernelAt(small, '48ffc0 e2fb e300 90'); // inc %rax; loop to the inc; jrcxz to the nop; nop
    for (let i = 0; i < 7; i++) machine.step(0);
    expect([cpu.get64(RAX), cpu.get64(RCX), cpu.rip()]).toEqual([3n, 0n, KERNEL_CODE + 7]);
  });
});
