/**
 * Bochs 2.7 as a child process, driven through its internal debugger: the state of its CPU is read and written as the
 * text in which Bochs saves a machine, its memory as words and as a file. It has what QEMU lacks, PCID above all.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Places } from './bochs-cpu';

/** Bochs did not start, does not answer, or ended. One sentence. */
export class BochsError extends Error {
  override readonly name = 'BochsError';
}

/** Bochs answers at once; after so long it has crashed or waits for something. */
const TIMEOUT = 20_000;
/** States of CPUs that are kept as files at a time: more than are set between two answers. */
const STATES = 64;
const PROMPT = /^<bochs:\d+> /gm;
/** Numbers that no command has as its argument. */
const FIRST_MARK = 900_000_000;
/** Folders of Debian's packages bochs, bochsbios and vgabios. */
const BIOS = '/usr/share/bochs/BIOS-bochs-latest';
const VGA_BIOS = '/usr/share/bochs/VGABIOS-lgpl-latest';

/** `Bochs x86 Emulator 2.7` for one, or undefined if the program or its BIOS is missing. */
export function bochsVersion(program: string): string | undefined {
  if (![BIOS, VGA_BIOS].every((path) => existsSync(path))) return undefined;
  const { stdout } = spawnSync(program, ['--help'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return /Bochs x86 Emulator [\d.]+/.exec(stdout ?? '')?.[0];
}

/** Intel, with PCID, INVPCID, SMEP, SMAP and FSGSBASE. */
function configuration(folder: string): string {
  return [
    'megs: 32',
    'cpu: model=broadwell_ult, count=1, ips=50000000, reset_on_triple_fault=0',
    `romimage: file=${BIOS}`,
    `vgaromimage: file=${VGA_BIOS}`,
    'display_library: rfb, options="timeout=0"',
    `log: ${folder}/log`,
    'boot: disk',
    'plugin_ctrl: biosdev=0, speaker=0, extfpuirq=0, parallel=0, serial=0, gameport=0',
  ].join('\n');
}

export class Bochs {
  private readonly child: ChildProcess;
  private readonly folder: string;
  private said = '';
  private failed: string | undefined;
  private marks = FIRST_MARK;
  private states = 0;
  /** Commands whose answers nobody waits for. */
  private readonly later: string[] = [];
  private wake: () => void = () => undefined;

  private constructor(program: string, folder: string) {
    this.folder = folder;
    writeFileSync(join(folder, 'bochsrc'), configuration(folder));
    this.child = spawn(program, ['-q', '-f', join(folder, 'bochsrc')], { env: { ...process.env, TERM: 'dumb' } });
    const hear = (bytes: Buffer) => {
      this.said += bytes.toString('latin1');
      this.wake();
    };
    this.child.stdout?.on('data', hear);
    this.child.stderr?.on('data', hear);
    // A write to a process that has ended: `exit` says so.
    this.child.stdin?.on('error', () => undefined);
    this.child.on('error', ({ message }) => this.end(`${program} could not be started: ${message}`));
    this.child.on('exit', (status) =>
      this.end(`${program} ended with status ${status}: ${this.said.trim().slice(-600)}`),
    );
    process.on('exit', this.stop);
  }

  /** A machine that has executed nothing. Throws a BochsError if it does not start. */
  static async start(program: string): Promise<Bochs> {
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), `pti-check-bochs-${process.pid}-`));
    const bochs = new Bochs(program, folder);
    try {
      await bochs.ask([]);
    } catch (error) {
      bochs.stop();
      throw error;
    }
    return bochs;
  }

  /** Ends Bochs and removes its files. Safe to call twice. */
  readonly stop = (): void => {
    process.off('exit', this.stop);
    this.child.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  };

  /** Overwrites these places of the CPU's state, and empties its TLB; late, like all that asks for no answer. */
  setCpu(places: Places): void {
    const folder = join(this.folder, `${this.states++ % STATES}`);
    mkdirSync(folder, { recursive: true });
    const lines = [...places].map(([place, value]) => {
      const names = place.split('.');
      const [last] = names.slice(-1);
      const lists = names.slice(0, -1);
      return `${lists.map((list) => `${list} = {\n`).join('')}${last} = ${value}\n${'}\n'.repeat(lists.length)}`;
    });
    writeFileSync(join(folder, 'cpu0'), `cpu0 = {\n${lines.join('')}}\n`);
    this.later.push(`restore "cpu0" "${folder}"`);
  }

  /** Writes aligned 32-bit words at physical addresses. */
  writeWords(words: Iterable<readonly [pa: number, value: number]>): void {
    for (const [pa, value] of words) this.later.push(`setpmem 0x${pa.toString(16)} 4 0x${(value >>> 0).toString(16)}`);
  }

  /** So many instructions, or faults of one; pending events are delivered first. */
  step(count = 1): void {
    if (count > 0) this.later.push(`s ${count}`);
  }

  /** What the CPU's state has at these places, `CS.selector` for one, as text. */
  async cpu(places: readonly string[]): Promise<Places> {
    const answer = await this.ask(places.map((place) => `show "cpu0.${place}"`));
    const values = [...answer.matchAll(/^show param name: <cpu0\.(\S+)>\n\S+ = (\S+)$/gm)];
    const found = new Map(values.map(([, place, value]) => [place, value]));
    for (const place of places)
      if (!found.has(place)) throw new BochsError(`expected "${place}" in the state of Bochs, found none`);
    return found;
  }

  /** The first bytes of linear memory; of physical memory if the CPU has no paging. */
  async read(bytes: number): Promise<Buffer> {
    const path = join(this.folder, 'memory');
    await this.ask([`writemem "${path}" 0x0 ${bytes}`]);
    const memory = readFileSync(path);
    if (memory.length !== bytes)
      throw new BochsError(`expected ${bytes} bytes of memory, Bochs wrote ${memory.length}`);
    return memory;
  }

  /**
   * What Bochs answers, to what was to be done late first. It reads the commands from a file, because it repeats a line
   * that it is sent letter by letter. It answers at the latest when it asks for the next command: so a mark follows.
   */
  private async ask(lines: readonly string[]): Promise<string> {
    const path = join(this.folder, 'commands');
    writeFileSync(path, `${[...this.later.splice(0), ...lines].join('\n')}\n`);
    const mark = `? ${this.marks++}\n`;
    this.said = '';
    this.child.stdin?.write(`source ${path}\n${mark}`);
    const deadline = setTimeout(() => this.end(`Bochs did not answer within ${TIMEOUT / 1000} s`), TIMEOUT);
    try {
      while (!this.said.includes(mark)) {
        if (this.failed !== undefined) throw new BochsError(this.failed);
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(deadline);
    }
    const answer = this.said.slice(0, this.said.indexOf(mark)).replaceAll(PROMPT, '');
    if (answer.includes('Error'))
      throw new BochsError(`Bochs refused a state or a command: ${answer.slice(-500).trim()}`);
    return answer;
  }

  private end(why: string): void {
    this.failed ??= why;
    this.wake();
  }
}
