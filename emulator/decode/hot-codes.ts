/** Names of the hot switch's cases in ../execute.ts (0: executed by `op.run`). The order is that of the switch. */
export const HOT_CODES = [
  'NONE',
  'MOV_RR64',
  'MOV_RM64',
  'MOV_MR64',
  'MOV_RI',
  'MOV_RR32',
  'MOV_RM32',
  'MOV_MR32',
  'LEA64',
  'PUSH_R',
  'POP_R',
  'PUSH_I',
  'CALL',
  'RET',
  'JMP',
  'JCC',
  'ADD_RR64',
  'ADD_RI64',
  'SUB_RR64',
  'SUB_RI64',
  'AND_RR64',
  'AND_RI64',
  'OR_RR64',
  'OR_RI64',
  'XOR_RR64',
  'XOR_RI64',
  'CMP_RR64',
  'CMP_RI64',
  'TEST_RR64',
  'TEST_RI64',
  'NOP',
  'INC_R64',
  'DEC_R64',
  'XOR_RR32',
  'TEST_RR32',
  'PUSH_M',
  'MOV_MI64',
  'CMP_MR64',
  'CMP_MI64',
] as const;

export type HotCode = (typeof HOT_CODES)[number];

const BY_NAME = new Map<string, number>(HOT_CODES.map((name, code) => [name, code]));

export function hotCode(name: HotCode): number {
  return BY_NAME.get(name) as number;
}
