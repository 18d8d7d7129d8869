import fc from 'fast-check';
import { FAULTED, RETIRED } from '../step-result';
import { expectSame } from '../testing/expectations';
import { encode, merged, runOne } from '../testing/one-instruction';
import * as oracle from '../testing/oracle';

/** Corner values are where carries and signs go wrong; plain random words almost never hit them. */
const word = fc.oneof(
  fc.bigInt({ min: 0n, max: oracle.maskOf(8) }),
  fc.constantFrom(
    0n,
    1n,
    0x7fn,
    0x80n,
    0xffn,
    0x7fffn,
    0x8000n,
    0xffffn,
    0x7fffffffn,
    0x80000000n,
    0xffffffffn,
    0x7fffffffffffffffn,
    0x8000000000000000n,
    0xffffffffffffffffn,
    0xffffffff00000000n,
  ),
);
const size = fc.constantFrom(1, 2, 4, 8);
const wideSize = fc.constantFrom(2, 4, 8);
const flags = fc.integer({ min: 0, max: 0xfff }).map((f) => f & 0x8d5);
const RUNS = { numRuns: 400 };

function expectFlags(actual: number, expected: oracle.Result): void {
  const known = oracle.STATUS & ~expected.undefinedFlags;
  expectSame(actual & known, expected.flags & known);
}

describe('two-operand arithmetic agrees with the manual', () => {
  test('between registers, in all widths', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), size, word, word, flags, (kind, s, a, b, f) => {
        const out = runOne(encode(s, (kind << 3) | 1, 0xcb), { rbx: a, rcx: b, flags: f }); // op %rcx,%rbx
        const expected = oracle.binary(kind, s, a & oracle.maskOf(s), b & oracle.maskOf(s), BigInt(f & 1));
        expectFlags(out.flags, expected);
        expectSame(out.rbx, kind === 7 ? a : merged(s, a, expected.value));
      }),
      RUNS,
    );
  });

  test('with a memory destination', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 7 }), size, word, word, flags, (kind, s, a, b, f) => {
        const out = runOne(encode(s, (kind << 3) | 1, 0x0b), { memory: a, rcx: b, flags: f }); // op %rcx,(%rbx)
        const mask = oracle.maskOf(s);
        const expected = oracle.binary(kind, s, a & mask, b & mask, BigInt(f & 1));
        expectFlags(out.flags, expected);
        expectSame(out.memory, kind === 7 ? a : (a & ~mask) | expected.value);
      }),
      RUNS,
    );
  });

  test('with a sign-extended immediate', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 7 }),
        wideSize,
        word,
        fc.integer({ min: -128, max: 127 }),
        flags,
        (kind, s, a, imm, f) => {
          const hex = encode(s, 0x83, 0xc3 | (kind << 3)) + (imm & 0xff).toString(16).padStart(2, '0'); // op $imm8,%rbx
          const out = runOne(hex, { rbx: a, flags: f });
          const b = BigInt(imm) & oracle.maskOf(s);
          const expected = oracle.binary(kind, s, a & oracle.maskOf(s), b, BigInt(f & 1));
          expectFlags(out.flags, expected);
          expectSame(out.rbx, kind === 7 ? a : merged(s, a, expected.value));
        },
      ),
      RUNS,
    );
  });

  test('INC and DEC keep CF; NEG and NOT', () => {
    fc.assert(
      fc.property(size, word, flags, fc.boolean(), (s, a, f, down) => {
        const mask = oracle.maskOf(s);
        const step = down ? oracle.subtract(s, a & mask, 1n, 0n) : oracle.add(s, a & mask, 1n, 0n);
        const out = runOne(encode(s, 0xff, down ? 0xcb : 0xc3), { rbx: a, flags: f }); // dec or inc %rbx
        expectSame(out.rbx, merged(s, a, step.value));
        expectSame(out.flags & oracle.STATUS, (step.flags & ~1) | (f & 1));
        const negated = runOne(encode(s, 0xf7, 0xdb), { rbx: a }); // neg %rbx
        expectFlags(negated.flags, oracle.subtract(s, 0n, a & mask, 0n));
        const inverted = runOne(encode(s, 0xf7, 0xd3), { rbx: a, flags: f }); // not %rbx
        expectSame(inverted.rbx, merged(s, a, ~a & mask));
        expectSame(inverted.flags & oracle.STATUS, f);
      }),
      RUNS,
    );
  });

  test('XADD and CMPXCHG, in registers and memory', () => {
    fc.assert(
      fc.property(size, word, word, word, fc.boolean(), (s, a, b, acc, equal) => {
        const mask = oracle.maskOf(s);
        const sum = oracle.add(s, a & mask, b & mask, 0n);
        const added = runOne(encode(s, 0xc1, 0x0b, '0f'), { memory: a, rcx: b }); // xadd %rcx,(%rbx)
        expectSame(added.memory, (a & ~mask) | sum.value);
        expectSame(added.rcx, merged(s, b, a & mask));
        expectFlags(added.flags, sum);
        const rax = equal ? a : acc;
        const hit = (rax & mask) === (a & mask);
        const swapped = runOne(encode(s, 0xb1, 0x0b, '0f'), { memory: a, rcx: b, rax }); // cmpxchg %rcx,(%rbx)
        expectSame(swapped.memory, hit ? (a & ~mask) | (b & mask) : a);
        expectSame(swapped.rax, hit ? rax : merged(s, rax, a & mask));
        expectFlags(swapped.flags, oracle.subtract(s, rax & mask, a & mask, 0n));
      }),
      RUNS,
    );
  });
});

describe('shifts and rotates agree with the manual', () => {
  test('by CL, in all widths', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(0, 1, 2, 3, 4, 5, 7),
        size,
        word,
        fc.integer({ min: 0, max: 255 }),
        flags,
        (kind, s, a, count, f) => {
          // op %cl,%rbx
          const out = runOne(encode(s, 0xd3, 0xc3 | (kind << 3)), { rbx: a, rcx: BigInt(count), flags: f });
          const expected = oracle.shift(kind, s, a & oracle.maskOf(s), count, f);
          expectSame(out.rbx, merged(s, a, expected.value));
          expectFlags(out.flags, expected);
        },
      ),
      { numRuns: 1500 },
    );
  });

  test('SHLD and SHRD move bits in from the source', () => {
    fc.assert(
      fc.property(wideSize, word, word, fc.integer({ min: 0, max: 63 }), fc.boolean(), (s, a, b, raw, right) => {
        const bits = BigInt(s * 8);
        const count = BigInt(raw & (s === 8 ? 63 : 31));
        if (count > bits) return;
        const mask = oracle.maskOf(s);
        const x = a & mask;
        const y = b & mask;
        const hex = encode(s, right ? 0xad : 0xa5, 0xd3, '0f'); // shrd or shld %cl,%rdx,%rbx
        const out = runOne(hex, { rbx: a, rdx: b, rcx: BigInt(raw) });
        const value =
          count === 0n ? x : right ? ((x | (y << bits)) >> count) & mask : (((x << bits) | y) >> (bits - count)) & mask;
        expectSame(out.rbx, merged(s, a, value));
      }),
      RUNS,
    );
  });
});

describe('multiplication and division agree with BigInt', () => {
  test('MUL and IMUL of the accumulator', () => {
    fc.assert(
      fc.property(size, word, word, fc.boolean(), (s, a, b, isSigned) => {
        const mask = oracle.maskOf(s);
        const view = (v: bigint) => (isSigned ? oracle.signed(s, v & mask) : v & mask);
        const product = view(a) * view(b);
        const out = runOne(encode(s, 0xf7, isSigned ? 0xeb : 0xe3), { rax: a, rbx: b, rdx: 7n }); // imul or mul %rbx
        const low = product & mask;
        const high = (product >> BigInt(s * 8)) & mask;
        if (s === 1) expectSame(out.rax & 0xffffn, product & 0xffffn);
        else {
          expectSame(out.rax, merged(s, a, low));
          expectSame(out.rdx, merged(s, 7n, high));
        }
        const over = isSigned ? oracle.signed(s, low) !== product : high !== 0n;
        expectSame(out.flags & 0x801, over ? 0x801 : 0);
      }),
      RUNS,
    );
  });

  test('IMUL with two operands', () => {
    fc.assert(
      fc.property(wideSize, word, word, (s, a, b) => {
        const product = oracle.signed(s, a) * oracle.signed(s, b);
        const out = runOne(encode(s, 0xaf, 0xd9, '0f'), { rbx: a, rcx: b }); // imul %rcx,%rbx
        expectSame(out.rbx, merged(s, a, product & oracle.maskOf(s)));
        expectSame((out.flags & 1) !== 0, oracle.signed(s, product) !== product);
      }),
      RUNS,
    );
  });

  test('DIV and IDIV, with #DE for zero and for quotients that do not fit', () => {
    fc.assert(
      fc.property(
        size,
        word,
        word,
        fc.oneof(word, fc.bigInt({ min: 0n, max: 40n })),
        fc.boolean(),
        (s, a, b, d, isSigned) => {
          const mask = oracle.maskOf(s);
          const bits = BigInt(s * 8);
          const raw = s === 1 ? a & 0xffffn : ((d & mask) << bits) | (a & mask);
          const dividend = isSigned ? BigInt.asIntN(s * 16, raw) : raw;
          const divisor = isSigned ? oracle.signed(s, b & mask) : b & mask;
          const out = runOne(encode(s, 0xf7, isSigned ? 0xfb : 0xf3), { rax: a, rdx: d, rbx: b }); // idiv or div %rbx
          const quotient = divisor === 0n ? 0n : dividend / divisor;
          const fits = divisor !== 0n && (isSigned ? oracle.signed(s, quotient) === quotient : quotient <= mask);
          expectSame(out.result, fits ? RETIRED : FAULTED);
          if (!fits) {
            expectSame(out.vector, 0);
            expectSame(out.rax, a);
            return;
          }
          const remainder = dividend % divisor;
          if (s === 1) expectSame(out.rax & 0xffffn, ((remainder & 0xffn) << 8n) | (quotient & 0xffn));
          else {
            expectSame(out.rax, merged(s, a, quotient & mask));
            expectSame(out.rdx, merged(s, d, remainder & mask));
          }
        },
      ),
      { numRuns: 1200 },
    );
  });
});

describe('bit instructions', () => {
  test('BT, BTS, BTR, BTC change CF only and take the offset modulo the width in a register', () => {
    fc.assert(
      fc.property(wideSize, fc.integer({ min: 0, max: 3 }), word, word, flags, (s, kind, a, offset, f) => {
        const bit = BigInt(Number(offset & 0xffn) % (s * 8));
        // bt, bts, btr or btc %rcx,%rbx
        const out = runOne(encode(s, 0xa3 + kind * 8, 0xcb, '0f'), { rbx: a, rcx: offset, flags: f });
        const mask = 1n << bit;
        const x = a & oracle.maskOf(s);
        const value = kind === 0 ? x : kind === 1 ? x | mask : kind === 2 ? x & ~mask : x ^ mask;
        expectSame(out.rbx, kind === 0 ? a : merged(s, a, value));
        expectSame(out.flags & oracle.STATUS, (f & ~1) | Number((a >> bit) & 1n));
      }),
      RUNS,
    );
  });

  test('a register offset addresses a bit string in memory, also downwards', () => {
    const up = runOne('480fab0b', { memory: 0n, rcx: 5n }); // bts %rcx,(%rbx)
    expectSame(up.memory, 32n);
    // bt %rcx,(%rbx) with rcx = -64 + 3 reads the word below, which is 0.
    const down = runOne('480fa30b', { memory: 0xffffffffffffffffn, rcx: (1n << 64n) - 61n });
    expectSame(down.flags & 1, 0);
  });

  test('BSF, BSR, POPCNT, BSWAP', () => {
    fc.assert(
      fc.property(word, word, (a, old) => {
        const bits = a.toString(2);
        const low = runOne('480fbcd9', { rcx: a, rbx: old }); // bsf %rcx,%rbx
        const high = runOne('480fbdd9', { rcx: a, rbx: old }); // bsr %rcx,%rbx
        expectSame(low.rbx, a === 0n ? old : BigInt(bits.length - 1 - bits.lastIndexOf('1')));
        expectSame(high.rbx, a === 0n ? old : BigInt(bits.length - 1));
        expectSame((low.flags & 0x40) !== 0, a === 0n);
        const count = runOne('f3480fb8d9', { rcx: a, flags: 0x8d5 }); // popcnt %rcx,%rbx
        expectSame(count.rbx, BigInt(bits.split('1').length - 1));
        expectSame(count.flags & oracle.STATUS, a === 0n ? 0x40 : 0);
        const swapped = runOne('480fcb', { rbx: a }); // bswap %rbx
        expectSame(
          swapped.rbx,
          BigInt(`0x${Buffer.from(a.toString(16).padStart(16, '0'), 'hex').reverse().toString('hex')}`),
        );
      }),
      RUNS,
    );
  });
});

describe('flags', () => {
  test('any combination survives loading and reading back, also ones no result has', () => {
    fc.assert(
      fc.property(flags, (f) => {
        expectSame(runOne('90', { flags: f }).flags & oracle.STATUS, f); // nop
      }),
    );
  });

  test('conditions read them as the manual says', () => {
    const test = (f: number, mask: number) => (f & mask) !== 0;
    const differs = (f: number) => test(f, 0x80) !== test(f, 0x800);
    const conditions: ((f: number) => boolean)[] = [
      (f) => test(f, 0x800),
      (f) => test(f, 1),
      (f) => test(f, 0x40),
      (f) => test(f, 0x41),
      (f) => test(f, 0x80),
      (f) => test(f, 4),
      differs,
      (f) => differs(f) || test(f, 0x40),
    ];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 15 }), flags, (cc, f) => {
        const out = runOne(`0f${(0x90 + cc).toString(16)}c3`, { flags: f });
        expectSame(out.rbx, conditions[cc >> 1](f) !== ((cc & 1) !== 0) ? 1n : 0n);
      }),
      RUNS,
    );
  });

  test('LAHF and SAHF move the low byte', () => {
    expectSame(runOne('9f', { flags: 0xd5 }).rax, 0xd700n); // lahf
    expectSame(runOne('9e', { rax: 0xff00n, flags: 0x800 }).flags & oracle.STATUS, 0x8d5); // sahf
  });
});
