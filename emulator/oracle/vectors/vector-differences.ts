/**
 * What QEMU 7.2 is known to do differently in a vector, one exact predicate each. Several may hold of one vector: each
 * takes away what it explains, and nothing may be left.
 */
import { Mnemonic } from 'iced-x86';
import { decodeAt } from '../../decode/decoder';
import { type MicroOp, OP_MEM_WRITE, OP_REP, REG } from '../../micro-op';
import { FLAG_RF, RCX, REGISTER_WORDS, STATUS_FLAGS, VEC_DB, VEC_GP, VEC_PF, VEC_SS, VEC_UD } from '../../registers';
import { GUEST_PLATFORM } from '../../system/guest-platform';
import { bigHi, bigLo } from '../../words';
import { undefinedFlags } from '../undefined-flags';
import { IN_SIZE, OUT_SIZE, SLOT } from './vector-layout';

/** Words of a record of the driver. */
export const OUT_NAMES: readonly string[] = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  '-',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
  'vector',
  'error',
  'rip',
  'cs',
  'rflags',
  'rsp',
  'ss',
  'cr2',
  'fs_base',
  'gs_base',
  'selectors',
];
const at = (name: string) => OUT_NAMES.indexOf(name);
const VECTOR = at('vector'),
  ERROR = at('error'),
  RIP = at('rip'),
  FLAGS = at('rflags'),
  RSP = at('rsp'),
  CR2 = at('cr2'),
  FS = at('fs_base'),
  GS = at('gs_base');

/** One vector, on both machines. `theirs` is changed as differences are explained. */
export interface Vector {
  readonly op: MicroOp;
  readonly bytes: Buffer;
  /** Words of `cpu.r`, of which the general registers are filled. */
  readonly before: Int32Array;
  readonly flags: bigint;
  readonly ours: BigUint64Array;
  readonly theirs: BigUint64Array;
}

interface VectorDifference {
  readonly name: string;
  readonly vendor: 'Intel and AMD' | 'open';
  readonly section: string;
  readonly why: string;
  /** True if it has explained something and has made `theirs` there what ours is. */
  explain(vector: Vector): boolean;
}

/** Record `i` of both machines. */
export function readVector(records: Buffer, ours: Buffer, theirs: Buffer, i: number): Vector {
  const from = i * IN_SIZE;
  const bytes = records.subarray(from + 160, from + 175);
  const op = decodeAt(bytes, bigLo(SLOT), bigHi(SLOT), GUEST_PLATFORM);
  if (op === undefined) throw new Error(`expected an instruction, found ${bytes.toString('hex')}`);
  const before = new Int32Array(REGISTER_WORDS);
  for (let n = 0; n < 32; n++) before[n] = records.readInt32LE(from + 4 * n);
  const words = (buffer: Buffer) =>
    BigUint64Array.from(OUT_NAMES, (_, n) => (n === 4 ? 0n : buffer.readBigUInt64LE(i * OUT_SIZE + 8 * n)));
  return { op, bytes, before, flags: records.readBigUInt64LE(from + 128), ours: words(ours), theirs: words(theirs) };
}

/** The names of what explains the vector, or undefined if something is left. */
export function explainVector(vector: Vector): string[] | undefined {
  const names = VECTOR_DIFFERENCES.filter((row) => row.explain(vector)).map(({ name }) => name);
  return vector.ours.every((word, n) => word === vector.theirs[n]) ? names : undefined;
}

/** Both have this exception. */
function both(v: Vector, vector: number): boolean {
  return v.ours[VECTOR] === BigInt(vector) && v.theirs[VECTOR] === BigInt(vector);
}

/** Flags that differ, if nothing but these may. */
function flagsDiffer(v: Vector, allowed: number): boolean {
  const different = v.ours[FLAGS] ^ v.theirs[FLAGS];
  if (different === 0n || (different & ~BigInt(allowed)) !== 0n) return false;
  v.theirs[FLAGS] = v.ours[FLAGS];
  return true;
}

function isNonCanonical(value: bigint): boolean {
  return BigInt.asUintN(64, BigInt.asIntN(48, value)) !== value;
}

/** All of the other machine's record is taken for ours. */
function whole(v: Vector): true {
  v.theirs.set(v.ours);
  return true;
}

/** This word of the other machine is taken for ours. */
function same(v: Vector, n: number): true {
  v.theirs[n] = v.ours[n];
  return true;
}

function row(
  name: string,
  vendor: VectorDifference['vendor'],
  section: string,
  why: string,
  explain: VectorDifference['explain'],
): VectorDifference {
  return { name, vendor, section, why, explain };
}

/** Word of the record that holds the destination; rsp is in the frame. */
function resultWord(op: MicroOp): number {
  return op.d === 8 ? RSP : op.d >> 1;
}

const SCANS: readonly Mnemonic[] = [Mnemonic.Bsf, Mnemonic.Bsr];
const DOUBLE_SHIFTS: readonly Mnemonic[] = [Mnemonic.Shld, Mnemonic.Shrd];
const WRITE_BASE: readonly Mnemonic[] = [Mnemonic.Wrfsbase, Mnemonic.Wrgsbase];
const BRANCHES: readonly Mnemonic[] = [Mnemonic.Jmp, Mnemonic.Call, Mnemonic.Ret];

export const VECTOR_DIFFERENCES: readonly VectorDifference[] = [
  row(
    'jump-to-non-canonical',
    'Intel and AMD',
    'SDM vol. 2, JMP, CALL and RET',
    'a near branch to a non-canonical address faults itself; QEMU goes there first',
    (v) =>
      BRANCHES.includes(v.op.mnemonic) &&
      v.ours[VECTOR] === BigInt(VEC_GP) &&
      isNonCanonical(v.theirs[RIP]) &&
      whole(v),
  ),
  row(
    'gate-error-code',
    'Intel and AMD',
    'SDM vol. 3, 6.13',
    'the error code that names a gate has vector * 8 + 2; QEMU pushes vector * 16 + 2',
    (v) =>
      both(v, VEC_GP) &&
      (v.ours[ERROR] & 3n) === 2n &&
      v.theirs[ERROR] === (v.ours[ERROR] >> 3n) * 16n + 2n &&
      same(v, ERROR),
  ),
  row(
    'read-modify-write-reads-first',
    'Intel and AMD',
    'SDM vol. 3, 4.7',
    'an instruction that reads and writes its operand asks for a write; QEMU faults in the read, maybe in the next page',
    (v) => {
      if (!both(v, VEC_PF) || (v.op.flags & OP_MEM_WRITE) === 0 || (v.ours[ERROR] & 2n) === 0n) return false;
      const next = v.theirs[CR2] === (v.ours[CR2] | 0xfffn) + 1n;
      if ((v.theirs[ERROR] & 2n) !== 0n || !(next || (v.ours[ERROR] & ~2n) === v.theirs[ERROR])) return false;
      return same(v, ERROR) && (!next || same(v, CR2));
    },
  ),
  row(
    'non-canonical-stack',
    'Intel and AMD',
    'SDM vol. 1, 3.3.7.1',
    'a stack reference to a non-canonical address is #SS; QEMU raises #GP',
    (v) => v.ours[VECTOR] === BigInt(VEC_SS) && v.theirs[VECTOR] === BigInt(VEC_GP) && same(v, VECTOR),
  ),
  row(
    'base-not-checked',
    'Intel and AMD',
    'SDM vol. 2, WRFSBASE/WRGSBASE',
    'QEMU writes a non-canonical base',
    (v) =>
      WRITE_BASE.includes(v.op.mnemonic) &&
      v.ours[VECTOR] === BigInt(VEC_GP) &&
      (isNonCanonical(v.theirs[FS]) || isNonCanonical(v.theirs[GS])) &&
      whole(v),
  ),
  row(
    'test-without-alias',
    'Intel and AMD',
    'APM vol. 3, opcode maps (group 3: /1 is TEST)',
    'QEMU takes F6 /1 and F7 /1 for undefined opcodes',
    (v) => v.op.mnemonic === Mnemonic.Test && v.theirs[VECTOR] === BigInt(VEC_UD) && whole(v),
  ),
  row(
    'invpcid-missing',
    'Intel and AMD',
    'SDM vol. 2, INVPCID (#GP(0) at CPL 3)',
    'QEMU has no INVPCID, which is #UD then',
    (v) => v.op.mnemonic === Mnemonic.Invpcid && v.theirs[VECTOR] === BigInt(VEC_UD) && whole(v),
  ),
  row(
    'rf-not-pushed',
    'Intel and AMD',
    'SDM vol. 3, 17.3.1.1',
    'QEMU pushes RF = 0 for a fault',
    (v) => v.ours[VECTOR] !== BigInt(VEC_DB) && v.ours[VECTOR] === v.theirs[VECTOR] && flagsDiffer(v, FLAG_RF),
  ),
  row(
    'rf-in-repetition',
    'Intel and AMD',
    'SDM vol. 3, 17.3.1.1',
    'the trap between two iterations pushes RF = 1; QEMU 0',
    (v) => both(v, VEC_DB) && (v.op.flags & OP_REP) !== 0 && flagsDiffer(v, FLAG_RF),
  ),
  row(
    'flags-before-fault',
    'Intel and AMD',
    'SDM vol. 3, 6.5 (a fault leaves the state as it was before the instruction)',
    'a rotation or shift whose result cannot be written leaves the flags alone; QEMU has changed them',
    (v) =>
      both(v, VEC_PF) &&
      (v.op.flags & OP_MEM_WRITE) !== 0 &&
      ((v.ours[FLAGS] ^ v.flags) & BigInt(STATUS_FLAGS)) === 0n &&
      flagsDiffer(v, STATUS_FLAGS | FLAG_RF),
  ),
  row(
    'return-immediate-signed',
    'Intel and AMD',
    'SDM vol. 2, RET (imm16 is unsigned)',
    'QEMU takes the immediate of RET for a signed number',
    (v) =>
      v.op.mnemonic === Mnemonic.Ret && both(v, VEC_DB) && v.ours[RSP] === v.theirs[RSP] + 0x10000n && same(v, RSP),
  ),
  row(
    'scan-of-zero',
    'open',
    'SDM vol. 2, BSF and BSR (the destination is undefined if the source is 0); APM vol. 3 (it is unchanged)',
    'with 32-bit operands QEMU clears the upper half of the register, the emulator leaves all of it',
    (v) =>
      SCANS.includes(v.op.mnemonic) &&
      both(v, VEC_DB) &&
      v.op.size === 4 &&
      v.theirs[resultWord(v.op)] === (v.ours[resultWord(v.op)] & 0xffffffffn) &&
      same(v, resultWord(v.op)),
  ),
  row(
    'undefined-result',
    'open',
    'SDM vol. 2, SHLD and SHRD (undefined if the count is greater than the operand size)',
    'a double shift of 16 bits by more than 16',
    (v) =>
      DOUBLE_SHIFTS.includes(v.op.mnemonic) &&
      both(v, VEC_DB) &&
      v.op.size === 2 &&
      v.op.dKind === REG &&
      ((v.op.sub2 === 1 ? v.op.immLo : v.before[RCX]) & 31) > 16 &&
      (v.ours[resultWord(v.op)] ^ v.theirs[resultWord(v.op)]) >> 16n === 0n &&
      same(v, resultWord(v.op)),
  ),
  row(
    'undefined-flags',
    'open',
    'SDM vol. 1, appendix A',
    'the manual leaves these flags undefined',
    (v) => both(v, VEC_DB) && flagsDiffer(v, undefinedFlags(v.op, v.before)),
  ),
];
