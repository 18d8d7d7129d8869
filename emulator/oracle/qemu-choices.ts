/**
 * Choices of a guest (../system/bus) on a PC, where nothing chooses: devices that answer the same until they are told
 * another answer. The choice page is memory of a PCI card that is mapped where the page is. The choice ports are the
 * address and count registers of the second DMA controller (Intel 8237A data sheet): each register answers on two
 * ports, 0xC0 + 2k and one above it, and gives its two bytes in turn, so both get the answer.
 */
import { writeSync } from 'node:fs';
import type { GdbRemote } from './gdb-remote';
import { CARD, type QemuProcess } from './qemu-process';

const CHOICE_PAGE = 0xfed00000;
const PORTS = 0xc0;
/** Writing it makes the next byte of a register the low one. */
const CLEAR_FLIP_FLOP = 0xd8;
const CONFIG_ADDRESS = 0xcf8,
  CONFIG_DATA = 0xcfc;
const COMMAND = 0x04,
  BAR2 = 0x18,
  BAR3 = 0x1c;
const MEMORY_ENABLED = 2;

/** Answers by number of alternatives: of the page, and of the ports, where those of 2k and 2k + 1 are the same. */
export interface Choices {
  readonly page: Uint8Array;
  readonly ports: Uint8Array;
}

/** Maps the card's memory at the choice page. */
export async function mapChoicePage(gdb: GdbRemote): Promise<void> {
  const values: [register: number, format: 'h' | 'w', value: number][] = [
    [BAR2, 'w', CHOICE_PAGE],
    [BAR3, 'w', 0],
    [COMMAND, 'h', MEMORY_ENABLED],
  ];
  for (const [register, format, value] of values) {
    await gdb.order(output('w', CONFIG_ADDRESS, (0x80000000 | (CARD << 11) | register) >>> 0));
    await gdb.order(output(format, CONFIG_DATA, value));
  }
}

/** Commands for the gdbstub that make the ports answer; the page answers at once. */
export function answer(process: QemuProcess, choices: Choices, before: Choices | undefined): string[] {
  writeSync(process.card, choices.page, 0, choices.page.length, 0);
  const commands: string[] = [];
  for (let n = 2; n < choices.ports.length; n += 2) {
    if (choices.ports[n] === before?.ports[n]) continue;
    const byte = output('b', PORTS + n, choices.ports[n]);
    commands.push(byte, byte);
  }
  return commands.length > 0 ? [output('b', CLEAR_FLIP_FLOP, 0), ...commands] : [];
}

/** QEMU's monitor command `o`, which is an OUT: `b`, `h` and `w` are 1, 2 and 4 bytes. */
function output(format: 'b' | 'h' | 'w', port: number, value: number): string {
  return `qRcmd,${Buffer.from(`o/${format} ${port} ${value}`).toString('hex')}`;
}
