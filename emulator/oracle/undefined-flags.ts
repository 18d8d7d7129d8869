/**
 * Status flags that the manual leaves undefined after an instruction (SDM vol. 2, "Flags Affected" of each, and vol. 1,
 * appendix A): a processor may do as it likes, so two machines may differ in them.
 */
import { Mnemonic } from 'iced-x86';
import { IMM, type MicroOp } from '../micro-op';
import { FLAG_AF, FLAG_CF, FLAG_OF, FLAG_PF, FLAG_SF, FLAG_ZF, RCX, STATUS_FLAGS } from '../registers';

const BY_MNEMONIC = new Map<number, (op: MicroOp, before: Int32Array) => number>();

function rule(mnemonics: readonly Mnemonic[], flags: (op: MicroOp, before: Int32Array) => number): void {
  for (const mnemonic of mnemonics) BY_MNEMONIC.set(mnemonic, flags);
}

rule([Mnemonic.And, Mnemonic.Or, Mnemonic.Xor, Mnemonic.Test], () => FLAG_AF);
rule([Mnemonic.Mul, Mnemonic.Imul], () => FLAG_SF | FLAG_ZF | FLAG_AF | FLAG_PF);
rule([Mnemonic.Div, Mnemonic.Idiv], () => STATUS_FLAGS);
rule([Mnemonic.Bsf, Mnemonic.Bsr], () => FLAG_CF | FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF);
rule([Mnemonic.Bt, Mnemonic.Bts, Mnemonic.Btr, Mnemonic.Btc], () => FLAG_OF | FLAG_SF | FLAG_AF | FLAG_PF);
rule([Mnemonic.Rol, Mnemonic.Ror, Mnemonic.Rcl, Mnemonic.Rcr], (op, before) =>
  masked(count(op, before, op.sKind === IMM), op) > 1 ? FLAG_OF : 0,
);
rule([Mnemonic.Shl, Mnemonic.Sal, Mnemonic.Shr], (op, before) => {
  const n = masked(count(op, before, op.sKind === IMM), op);
  // The last bit out is defined for a count up to the width less one.
  return shifted(n) | (n >= op.size * 8 ? FLAG_CF : 0);
});
rule([Mnemonic.Sar], (op, before) => shifted(masked(count(op, before, op.sKind === IMM), op)));
rule([Mnemonic.Shld, Mnemonic.Shrd], (op, before) => {
  const n = masked(count(op, before, op.sub2 === 1), op);
  return n > op.size * 8 ? STATUS_FLAGS : shifted(n);
});

/** The undefined ones of the six status flags, after an instruction that did not fault. */
export function undefinedFlags(op: MicroOp, before: Int32Array): number {
  return BY_MNEMONIC.get(op.mnemonic)?.(op, before) ?? 0;
}

function count(op: MicroOp, before: Int32Array, immediate: boolean): number {
  return immediate ? op.immLo : before[RCX];
}

function masked(n: number, op: MicroOp): number {
  return n & (op.size === 8 ? 63 : 31);
}

/** A count of 0 changes no flag; OF is defined for a count of 1. */
function shifted(n: number): number {
  if (n === 0) return 0;
  return n === 1 ? FLAG_AF : FLAG_AF | FLAG_OF;
}
