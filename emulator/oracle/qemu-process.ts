/**
 * QEMU as a child process that waits for its debugger. Its RAM is a file that both sides map or read; so is a page of
 * memory on a PCI card, which serves as the choice page (./qemu-choices).
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** QEMU is missing, did not start, or ended. One sentence. */
export class QemuError extends Error {
  override readonly name = 'QemuError';
}

/** PCI device number of the card on bus 0. */
export const CARD = 4;
const CARD_BYTES = 4096;
const START_TIMEOUT = 10_000;
const POLL = 20;

export interface Size {
  /** A multiple of 1 MiB. */
  readonly ramBytes: number;
  readonly cpus: number;
}

export interface QemuProcess {
  /** Unix socket of the gdbstub. */
  readonly gdbSocket: string;
  /** Descriptor of the file that is the guest's RAM. */
  readonly ram: number;
  /** CPU time of all its threads so far, in seconds. Linux only. */
  cpuSeconds(): number;
  /** Descriptor of the file that is the memory of the PCI card. */
  readonly card: number;
  /** Ends QEMU and removes its files. Safe to call twice. */
  stop(): void;
}

/** First line of `--version`, or undefined if the program cannot be run. */
export function qemuVersion(program: string): string | undefined {
  try {
    return execFileSync(program, ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(
      '\n',
    )[0];
  } catch {
    return undefined;
  }
}

/**
 * Starts QEMU with CPUs that have not executed anything. Without timers (`pit=off`, `hpet=off`) no interrupt comes
 * but those that the debugger raises. Throws a QemuError with QEMU's own message if it does not start.
 */
export async function startQemu(program: string, size: Size): Promise<QemuProcess> {
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `pti-check-qemu-${process.pid}-`));
  const gdbSocket = join(folder, 'gdb');
  const ram = fileOf(join(folder, 'ram'), size.ramBytes);
  const card = fileOf(join(folder, 'card'), CARD_BYTES);
  const child = spawn(program, qemuArguments(folder, size), { stdio: ['ignore', 'ignore', 'pipe'] });
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString();
  });
  let failed: string | undefined;
  child.on('error', (error) => {
    failed = error.message;
  });
  const stop = stopper(child, folder, [ram, card]);
  try {
    for (let waited = 0; !existsSync(gdbSocket); waited += POLL) {
      if (failed !== undefined) throw new QemuError(`${program} could not be started: ${failed}`);
      if (child.exitCode !== null)
        throw new QemuError(`${program} ended with status ${child.exitCode}: ${said.trim() || 'it said nothing'}`);
      if (waited >= START_TIMEOUT) throw new QemuError(`${program} opened no gdbstub within ${START_TIMEOUT / 1000} s`);
      await sleep(POLL);
    }
  } catch (error) {
    stop();
    throw error;
  }
  return { gdbSocket, ram, card, stop, cpuSeconds: () => cpuSecondsOf(child.pid) };
}

/** The first number of a thread's schedstat is its time on a CPU, in nanoseconds. */
function cpuSecondsOf(pid: number | undefined): number {
  const tasks = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(tasks).map((task) => {
    return Number(readFileSync(join(tasks, task, 'schedstat'), 'utf8').split(' ')[0]);
  });
  return nanoseconds.reduce((sum, each) => sum + each, 0) / 1e9;
}

function fileOf(path: string, bytes: number): number {
  const file = openSync(path, 'w+');
  ftruncateSync(file, bytes);
  return file;
}

function qemuArguments(folder: string, { ramBytes, cpus }: Size): string[] {
  return [
    ['-accel', 'tcg,thread=single'],
    ['-smp', `${cpus}`],
    ['-cpu', 'max,vendor=GenuineIntel,phys-bits=32'],
    ['-machine', 'pc,hpet=off,smm=off,pit=off,memory-backend=ram'],
    ['-object', `memory-backend-file,id=ram,size=${ramBytes},mem-path=${folder}/ram,share=on`],
    ['-object', `memory-backend-file,id=card,size=${CARD_BYTES},mem-path=${folder}/card,share=on`],
    ['-device', `ivshmem-plain,memdev=card,addr=${CARD}`],
    ['-m', `${ramBytes >> 20}M`],
    ['-nodefaults', '-no-user-config', '-no-shutdown', '-S'],
    ['-display', 'none'],
    ['-chardev', `socket,id=gdb,path=${folder}/gdb,server=on,wait=off`],
    ['-gdb', 'chardev:gdb'],
  ].flat();
}

function stopper(child: ChildProcess, folder: string, files: readonly number[]): () => void {
  let stopped = false;
  const stop = () => {
    if (stopped) return;
    stopped = true;
    process.off('exit', stop);
    child.kill('SIGKILL');
    for (const file of files) closeSync(file);
    rmSync(folder, { recursive: true, force: true });
  };
  process.on('exit', stop);
  return stop;
}
