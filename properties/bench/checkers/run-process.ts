/**
 * One run of a checker: a process of its own, timed from its start to its end, with the most memory that it had
 * resident and the time that it had a core. These come from /proc (VmHWM, utime and stime of proc(5), which only grow),
 * asked every few milliseconds, because Node tells nothing about a child that has ended; where there is no /proc they
 * are unknown. Threads share their process. Of processes that share their states only the first is asked, since it
 * touches what they share.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

export interface Command {
  readonly file: string;
  readonly args: readonly string[];
  readonly folder: string;
}

export interface Ran {
  readonly output: string;
  readonly seconds: number;
  readonly peakBytes: number | undefined;
  /** Of user and system, all threads, a few milliseconds before the end. */
  readonly cpuSeconds: number | undefined;
}

const ASK_EVERY_MS = 10;
/** Of /proc on every Linux that Node runs on. */
const TICKS_A_SECOND = 100;
/** Where utime stands behind the name of the program, which is in brackets. */
const UTIME = 11;

/** Undefined for a process that has ended, and on systems without /proc. */
function peakBytes(pid: number): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch {
    return undefined;
  }
}

/** The same. */
function cpuSeconds(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[UTIME]) + Number(fields[UTIME + 1])) / TICKS_A_SECOND;
  } catch {
    return undefined;
  }
}

/** Runs to the end. Rejects if the process cannot be started, dies of a signal, or exits with another code than 0. */
export function runProcess({ file, args, folder }: Command): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const started = performance.now();
    const child = spawn(file, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
    let peak: number | undefined;
    let cpu: number | undefined;
    const ask = () => {
      if (child.pid === undefined) return;
      peak = peakBytes(child.pid) ?? peak;
      cpu = cpuSeconds(child.pid) ?? cpu;
    };
    const asking = setInterval(ask, ASK_EVERY_MS);
    let ended = started;
    let output = '';
    let errors = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      // Checkers print when they are done, with all that they have stored still in memory.
      ask();
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    child.on('error', (error) => {
      clearInterval(asking);
      reject(error);
    });
    child.on('exit', () => {
      ended = performance.now();
      clearInterval(asking);
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve({ output, seconds: (ended - started) / 1000, peakBytes: peak, cpuSeconds: cpu });
      else reject(new Error(`${file} ended with ${signal ?? `exit code ${code}`}: ${lastLines(errors + output)}`));
    });
  });
}

function lastLines(text: string): string {
  return text.trimEnd().split('\n').slice(-3).join(' | ');
}
