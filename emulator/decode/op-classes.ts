/**
 * Which case of the hot switch executes an op, and the flags that observers read. Both follow from the described
 * operands.
 */
import { type Instruction, Mnemonic, OpKind, Register } from 'iced-x86';
import { TEST } from '../cpu/alu';
import {
  IMM,
  JOINS_CLEARS,
  JOINS_POPS,
  JOINS_PUSHES,
  MEM,
  type MicroOp,
  OP_BRANCH,
  OP_MEM_READ,
  OP_MEM_WRITE,
  OP_STACK,
  OP_WRITES_RSP,
  REG,
} from '../micro-op';
import { RSP } from '../registers';
import { type HotCode, hotCode } from './hot-codes';
import * as table from './instruction-table';

/** Families of the hot switch: register and immediate forms at 64 bits, of CMP those with memory, too. */
const HOT_ALU: Readonly<Record<number, string>> = {
  0: 'ADD',
  1: 'OR',
  4: 'AND',
  5: 'SUB',
  6: 'XOR',
  7: 'CMP',
  [TEST]: 'TEST',
};

function hotName(op: MicroOp, i: Instruction): HotCode {
  const wide = op.size === 8;
  switch (i.mnemonic) {
    case Mnemonic.Mov:
      return hotMove(op);
    case Mnemonic.Lea:
      return wide ? 'LEA64' : 'NONE';
    case Mnemonic.Push:
      return hotPush(op);
    case Mnemonic.Pop:
      return op.run === popRun && op.dKind === REG && op.d !== RSP ? 'POP_R' : 'NONE';
    case Mnemonic.Call:
      return i.op0Kind === OpKind.NearBranch64 ? 'CALL' : 'NONE';
    case Mnemonic.Jmp:
      return i.op0Kind === OpKind.NearBranch64 ? 'JMP' : 'NONE';
    case Mnemonic.Ret:
      return i.opCount === 0 ? 'RET' : 'NONE';
    case Mnemonic.Nop:
      return 'NOP';
    case Mnemonic.Inc:
      return wide && op.dKind === REG ? 'INC_R64' : 'NONE';
    case Mnemonic.Dec:
      return wide && op.dKind === REG ? 'DEC_R64' : 'NONE';
    default:
      return i.isJccShortOrNear ? 'JCC' : hotAlu(op);
  }
}

function hotPush(op: MicroOp): HotCode {
  if (op.run !== pushRun) return 'NONE';
  if (op.sKind === MEM) return 'PUSH_M';
  return op.sKind === IMM ? 'PUSH_I' : 'PUSH_R';
}

function hotAlu(op: MicroOp): HotCode {
  const family = op.run === aluRun ? HOT_ALU[op.sub] : undefined;
  const narrow = op.size === 4 && op.dKind === REG && op.sKind === REG;
  if (narrow && (family === 'XOR' || family === 'TEST')) return `${family}_RR32`;
  if (family === undefined || op.size !== 8 || op.sKind === MEM) return 'NONE';
  if (op.dKind === MEM && family !== 'CMP') return 'NONE';
  return `${family}_${op.dKind === MEM ? 'M' : 'R'}${op.sKind === IMM ? 'I' : 'R'}64` as HotCode;
}

function hotMove(op: MicroOp): HotCode {
  if (op.run !== movRun || (op.size !== 8 && op.size !== 4)) return 'NONE';
  if (op.dKind === MEM && op.sKind === IMM) return op.size === 8 ? 'MOV_MI64' : 'NONE';
  if (op.dKind === MEM) return op.size === 8 ? 'MOV_MR64' : 'MOV_MR32';
  if (op.sKind === IMM) return 'MOV_RI';
  const form = op.sKind === MEM ? 'MOV_RM' : 'MOV_RR';
  return `${form}${op.size === 8 ? 64 : 32}` as HotCode;
}

/** Handlers of the general forms: those of segment, control and debug registers are never hot. */
const [aluRun, movRun, pushRun, popRun] = [Mnemonic.Add, Mnemonic.Mov, Mnemonic.Push, Mnemonic.Pop].map(
  (mnemonic) => table.rowsOf(mnemonic)[0].run,
);

export function chooseHotCode(op: MicroOp, i: Instruction): void {
  const name = hotName(op, i);
  op.code = hotCode(name);
  op.joins = joins(op, name);
}

function joins(op: MicroOp, name: HotCode): number {
  if (name === 'PUSH_I' || (name === 'PUSH_R' && op.s !== RSP)) return JOINS_PUSHES;
  if (name === 'XOR_RR32' && op.d === op.s && op.d !== RSP) return JOINS_CLEARS;
  return name === 'POP_R' ? JOINS_POPS : 0;
}

export function addFlags(op: MicroOp, i: Instruction): void {
  if (
    op.code === hotCode('JCC') ||
    op.code === hotCode('JMP') ||
    op.code === hotCode('CALL') ||
    op.code === hotCode('RET')
  )
    op.flags |= OP_BRANCH;
  if (i.mnemonic === Mnemonic.Jmp || i.mnemonic === Mnemonic.Call) op.flags |= OP_BRANCH;
  if (op.sKind === MEM && i.mnemonic !== Mnemonic.Lea) op.flags |= OP_MEM_READ;
  if (op.dKind === MEM) op.flags |= i.mnemonic === Mnemonic.Mov ? OP_MEM_WRITE : OP_MEM_READ | OP_MEM_WRITE;
  if (i.isStringInstruction) op.flags |= OP_MEM_READ | OP_MEM_WRITE;
  if (i.mnemonic === Mnemonic.Jmp) op.flags &= ~OP_STACK;
  if (writesRsp(op, i)) op.flags |= OP_WRITES_RSP;
}

/** An explicit register destination, or one of the instructions that load it from elsewhere. */
function writesRsp(op: MicroOp, i: Instruction): boolean {
  if (i.mnemonic === Mnemonic.Leave || i.mnemonic === Mnemonic.Iretq) return true;
  if (
    i.mnemonic === Mnemonic.Cmp ||
    i.mnemonic === Mnemonic.Test ||
    i.mnemonic === Mnemonic.Push ||
    i.mnemonic === Mnemonic.Bt
  )
    return false;
  const exchange = i.mnemonic === Mnemonic.Xchg || i.mnemonic === Mnemonic.Xadd;
  if (exchange && i.op1Kind === OpKind.Register && i.op1Register === Register.RSP) return true;
  return op.dKind === REG && i.opCount > 0 && i.op0Kind === OpKind.Register && op.d === RSP && isGeneral(i.op0Register);
}

function isGeneral(register: number): boolean {
  return register >= Register.AL && register <= Register.R15;
}
