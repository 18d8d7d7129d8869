/** A QEMU that waits for its debugger, and the connection to it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { GdbRemote } from './gdb-remote';
import { type QemuProcess, type Size, startQemu } from './qemu-process';
import { type RegisterLayout, readRegisterLayout } from './target-description';

/** MSI address of the CPU with APIC id 0; bits 19:12 are the id (SDM vol. 3, 11.11.1). */
const MSI = 0xfee00000;
/** The delivery mode of an NMI in bits 10:8 of the data word, which else is the vector. */
export const MSI_NMI = 0x400;
/** Attempts to connect, and milliseconds between two. */
const CONNECTIONS = 100,
  CONNECTION_PAUSE = 20;

export interface Connection {
  readonly process: QemuProcess;
  readonly gdb: GdbRemote;
  readonly layout: RegisterLayout;
}

/** Throws a QemuError or a GdbError. */
export async function connect(program: string, size: Size): Promise<Connection> {
  const process = await startQemu(program, size);
  try {
    const gdb = await connectTo(process.gdbSocket);
    // Also because the gdbstub sets no register before its description has been read.
    const layout = await readRegisterLayout(gdb);
    await gdb.order('Qqemu.PhyMemMode:1');
    await gdb.order('Qqemu.sstep=1');
    return { process, gdb, layout };
  } catch (error) {
    process.stop();
    throw error;
  }
}

/** The socket is there a moment before QEMU listens. */
async function connectTo(path: string): Promise<GdbRemote> {
  for (let tries = 1; ; tries++) {
    try {
      return await GdbRemote.connect(path);
    } catch (error) {
      if (tries === CONNECTIONS) throw error;
      await sleep(CONNECTION_PAUSE);
    }
  }
}

/** The command that makes a device's write to the local APIC of a CPU. */
export function msi(cpu: number, data: number): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(data);
  return `M${(MSI + cpu * 0x1000).toString(16)},4:${bytes.toString('hex')}`;
}
