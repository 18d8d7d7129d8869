/**
 * What this emulator does not do is said loudly: an instruction or feature outside its coverage must never look
 * like #UD, #GP or a NOP, because then a property could hold or fail for a reason that is ours.
 */
import { hexVa } from './words';

export class UnimplementedError extends Error {
  readonly address: number;
  readonly bytes: string;
  readonly text: string;

  constructor(text: string, address: number, bytes = '') {
    super(`not implemented by this emulator: ${text} at 0x${hexVa(address)}${bytes === '' ? '' : ` (bytes ${bytes})`}`);
    this.name = 'UnimplementedError';
    this.address = address;
    this.bytes = bytes;
    this.text = text;
  }
}
