/**
 * Instructions at CPL 3 on the processor that we run on, beside our machine: registers, flags, faults with their error
 * codes and CR2, and memory. What a manual leaves undefined is masked (../undefined-flags); nothing else is.
 */
import { Mnemonic } from 'iced-x86';
import { FLAG_AC, FLAG_DF, FLAG_ID, FLAG_NT, GPR_NAMES, RIP, STATUS_FLAGS, VEC_BP, VEC_PF } from '../../registers';
import type { Vendor } from '../../vendor';
import { toBigInt } from '../../words';
import { undefinedFlags } from '../undefined-flags';
import { explainFaults } from './host-differences';
import {
  BATCH,
  CODE_BYTES,
  CODE_PLACE,
  CR2_PLACE,
  DATA_BYTES,
  ERROR_PLACE,
  FLAGS_PLACE,
  RECORD_BYTES,
  RECORD_REGISTERS,
  RESULT_BYTES,
  VECTOR_PLACE,
  WINDOW_BYTES,
  WINDOW_PLACE,
} from './native-layout';
import type { NativeProgram } from './native-program';
import { type Executed, NativeScene } from './native-scene';
import { drawData, type Encoding, encodings, fillRecord } from './native-vectors';

const COMPARED_FLAGS = STATUS_FLAGS | FLAG_DF | FLAG_AC | FLAG_NT | FLAG_ID;

interface NativeDifference {
  /** Of the vectors that were compared, from 0 on. */
  readonly instance: number;
  readonly code: string;
  readonly before: readonly string[];
  /** What differs, with both values. */
  readonly found: readonly string[];
}

export interface NativeResult {
  instances: number;
  /** Drawn, but nothing to compare. */
  leftOut: number;
  readonly mnemonics: Map<number, number>;
  /** By vector: how many faulted. */
  readonly faults: Map<number, number>;
  /** By name of the row of ./host-differences. */
  readonly accepted: Map<string, number>;
  readonly differences: NativeDifference[];
}

interface NativeOptions {
  readonly random: () => number;
  readonly vendor: Vendor;
  readonly instances: number;
  /** Random encodings from which the instructions are taken. */
  readonly encodings: number;
  /** The comparison ends when so many have been found. */
  readonly mostDifferences: number;
}

interface Waiting {
  readonly record: Int32Array;
  readonly ours: Int32Array;
  /** Flags that are compared. */
  readonly mask: number;
  readonly mnemonic: number;
  readonly retired: boolean;
}

export async function compareWithHost(
  program: Pick<NativeProgram, 'send' | 'receive'>,
  options: NativeOptions,
): Promise<NativeResult> {
  const { random, vendor, instances, mostDifferences } = options;
  const data = drawData(random, DATA_BYTES);
  const scene = new NativeScene(vendor, data);
  const forms = encodings(random, scene.platform, options.encodings);
  const result: NativeResult = {
    instances: 0,
    leftOut: 0,
    mnemonics: new Map(),
    faults: new Map(),
    accepted: new Map(),
    differences: [],
  };
  program.send(data);
  while (result.instances < instances && result.differences.length < mostDifferences) {
    const batch: Waiting[] = [];
    while (batch.length < BATCH) {
      const kept = forms[Math.floor(random() * forms.length)];
      const encoding = kept[Math.floor(random() * kept.length)];
      const waiting = prepared(scene, random, encoding);
      if (waiting === undefined) result.leftOut++;
      else {
        batch.push(waiting);
        count(result.mnemonics, encoding.mnemonic);
      }
    }
    program.send(Buffer.concat(batch.map(({ record }) => new Uint8Array(record.buffer, 0, RECORD_BYTES))));
    const answers = await program.receive(BATCH * RESULT_BYTES);
    for (const [i, waiting] of batch.entries()) {
      const theirs = new Int32Array(RESULT_BYTES / 4);
      Buffer.from(theirs.buffer).set(answers.subarray(i * RESULT_BYTES, (i + 1) * RESULT_BYTES));
      count(result.faults, waiting.ours[2 * VECTOR_PLACE]);
      const found = differences(waiting, theirs);
      const accepted = found.length > 0 ? explained(waiting, theirs) : undefined;
      if (accepted !== undefined) count(result.accepted, accepted);
      else if (found.length > 0) result.differences.push(described(result.instances, waiting.record, found));
      result.instances++;
    }
  }
  return result;
}

function prepared(scene: NativeScene, random: () => number, encoding: Encoding): Waiting | undefined {
  const record = new Int32Array(RECORD_BYTES / 4);
  const ours = new Int32Array(RESULT_BYTES / 4);
  fillRecord(random, encoding, record);
  const executed = scene.run(record, encoding.bytes.length, ours);
  if (executed === undefined || isResultUndefined(executed)) return undefined;
  const mask = COMPARED_FLAGS & ~undefinedOf(executed);
  return { record, ours, mask, mnemonic: encoding.mnemonic, retired: executed.retired };
}

/** Two faults, of which the manuals do not say which comes first. */
function explained({ ours, mnemonic, retired }: Waiting, theirs: Int32Array): string | undefined {
  const vectors = { ours: ours[2 * VECTOR_PLACE], theirs: theirs[2 * VECTOR_PLACE] };
  return retired || vectors.theirs === VEC_BP ? undefined : explainFaults({ mnemonic, ...vectors });
}

/** A double shift by more than the operand's width (SDM vol. 2, SHLD and SHRD). */
function isResultUndefined({ op, retired, before }: Executed): boolean {
  if (op === undefined || !retired) return false;
  return (
    (op.mnemonic === Mnemonic.Shld || op.mnemonic === Mnemonic.Shrd) && undefinedFlags(op, before) === STATUS_FLAGS
  );
}

function undefinedOf({ op, retired, before }: Executed): number {
  return op === undefined || !retired ? 0 : undefinedFlags(op, before);
}

function differences({ ours, mask }: Waiting, theirs: Int32Array): string[] {
  const found: string[] = [];
  const compare = (name: string, a: bigint, b: bigint) => {
    if (a !== b) found.push(`${name}: emulator ${a.toString(16)}, host ${b.toString(16)}`);
  };
  const pair = (words: Int32Array, place: number) => toBigInt(words[2 * place], words[2 * place + 1]);
  for (const [i, register] of RECORD_REGISTERS.entries())
    compare(register === RIP ? 'rip' : GPR_NAMES[register >> 1], pair(ours, i), pair(theirs, i));
  compare('rflags', BigInt(ours[2 * FLAGS_PLACE] & mask), BigInt(theirs[2 * FLAGS_PLACE] & mask));
  compare('vector', pair(ours, VECTOR_PLACE), pair(theirs, VECTOR_PLACE));
  compare('error code', pair(ours, ERROR_PLACE), pair(theirs, ERROR_PLACE));
  if (ours[2 * VECTOR_PLACE] === VEC_PF) compare('CR2', pair(ours, CR2_PLACE), pair(theirs, CR2_PLACE));
  for (let word = 0; word < WINDOW_BYTES / 8; word++)
    compare(
      `[window+0x${(8 * word).toString(16)}]`,
      pair(ours, WINDOW_PLACE + word),
      pair(theirs, WINDOW_PLACE + word),
    );
  return found;
}

function described(instance: number, record: Int32Array, found: readonly string[]): NativeDifference {
  const code = Buffer.from(record.buffer, CODE_PLACE * 8, CODE_BYTES).toString('hex');
  const before = [...RECORD_REGISTERS, -1].map((register, i) => {
    const name = register === RIP ? 'rip' : (GPR_NAMES[register >> 1] ?? 'rflags');
    return `${name} ${toBigInt(record[2 * i], record[2 * i + 1]).toString(16)}`;
  });
  return { instance, code, before, found };
}

function count<Key>(counts: Map<Key, number>, key: Key): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}
