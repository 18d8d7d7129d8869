/** The native program: assembled from runner.S, and fed through its standard input. */
import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Vendor } from '../../vendor';

/** The program could not be made, or has ended. One sentence. */
class NativeError extends Error {
  override readonly name = 'NativeError';
}

const VENDORS: Readonly<Record<string, Vendor>> = { GenuineIntel: 'intel', AuthenticAMD: 'amd' };

/** Whose processor this is; undefined: no x86-64 Linux, or nobody's that we know. */
export function hostVendor(): Vendor | undefined {
  if (process.platform !== 'linux' || process.arch !== 'x64') return undefined;
  const [, name] = /^vendor_id\s*: (\w+)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8')) ?? [];
  return name === undefined ? undefined : VENDORS[name];
}

/** What `as --version` says first; undefined without an assembler. */
export function assemblerVersion(): string | undefined {
  try {
    return execFileSync('as', ['--version'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch {
    return undefined;
  }
}

/** An executable file, in a folder of its own. */
export function assembleProgram(source: string): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'pti-check-native-'));
  const object = path.join(folder, 'runner.o');
  const program = path.join(folder, 'runner');
  try {
    execFileSync('as', ['--64', '-mx86-used-note=no', '-o', object, source], { stdio: 'pipe' });
    execFileSync('ld', ['-static', '-nostdlib', '-z', 'noexecstack', '-o', program, object], { stdio: 'pipe' });
    return program;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw new NativeError(`${source} could not be assembled: ${(error as Error).message.trim()}`);
  }
}

/** One running program. What it answers comes in the order of what it is sent. */
export class NativeProgram {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly program: string;
  private received: Buffer[] = [];
  private length = 0;
  private ended: string | undefined;
  private wake: () => void = () => {};

  constructor(program: string) {
    this.program = program;
    this.child = spawn(program, [], { stdio: ['pipe', 'pipe', 'pipe'] });
    this.child.stdout.on('data', (bytes: Buffer) => {
      this.received.push(bytes);
      this.length += bytes.length;
      this.wake();
    });
    const end = (how: string) => {
      this.ended ??= how;
      this.wake();
    };
    this.child.on('error', (error) => end(`could not be started: ${error.message}`));
    this.child.on('close', (code, signal) => end(signal === null ? `ended with status ${code}` : `died of ${signal}`));
    // A write to a program that has died: `close` says so.
    this.child.stdin.on('error', () => {});
  }

  send(bytes: Uint8Array): void {
    this.child.stdin.write(bytes);
  }

  /**
   * Its next answer.
   * @throws NativeError if it ends before
   */
  async receive(bytes: number): Promise<Buffer> {
    while (this.length < bytes) {
      if (this.ended !== undefined) throw new NativeError(`the native program ${this.ended}`);
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    const all = Buffer.concat(this.received);
    this.received = [all.subarray(bytes)];
    this.length -= bytes;
    return all.subarray(0, bytes);
  }

  /** Ends it and removes its file. */
  stop(): void {
    this.child.kill('SIGKILL');
    rmSync(path.dirname(this.program), { recursive: true, force: true });
  }
}
