/** Which instructions the monitor is told of at all. */
import {
  OP_BRANCH,
  OP_CONTROL,
  OP_GS,
  OP_WRITES_RSP,
  WITHOUT_EXECUTING,
  WITHOUT_RETIRED,
} from '../../emulator/micro-op';
import { TAG_OTHER } from './code-tags';

/** Instructions after which there is something to look at; the rest only move data. */
export const NOTEWORTHY = OP_CONTROL | OP_WRITES_RSP | OP_BRANCH;

/** The calls of the observer that an instruction of a class can do without: almost every one only moves data. */
export function callsToSpare(tag: number, flags: number): number {
  const executing = tag === TAG_OTHER && (flags & (OP_GS | OP_CONTROL)) === 0 ? WITHOUT_EXECUTING : 0;
  return (flags & NOTEWORTHY) === 0 ? executing | WITHOUT_RETIRED : executing;
}
