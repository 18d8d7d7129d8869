/**
 * From a kernel's image to a machine in which our program has begun to run in user mode. That takes half a minute, so
 * the state is kept for the next time, under a name that is made of everything it depends on. Whether it is read or
 * booted anew makes no difference to anything that follows.
 */

import { emptyLinuxMachine, type LinuxMachine, linuxMachine } from '../../emulator/linux/boot/linux-machine';
import { restoreState, SavedStateError, saveState, settle } from '../../emulator/linux/boot/saved-state';
import { TrampolineError } from '../../emulator/linux/boot/trampoline';
import type { KernelImage } from '../../emulator/linux/image/kernel-image';
import type { Workload } from '../../emulator/linux/workload/workload';
import { UnimplementedError } from '../../emulator/unimplemented';
import { recall } from '../../model/checker/translate/file-cache';
import { Malformed } from '../../model/checker/translate/words';
import { keepState } from './kept-states';
import { stateName } from './state-name';

/**
 * Without effect on entry code, and most of a boot where they are not left out: reading BTF and certificates, measuring
 * entropy, preparing the tracing of functions. A kernel that does not have one of them takes no notice.
 */
const LEFT_OUT = [
  'load_system_certificate_list',
  'btf_vmlinux_init',
  'jent_mod_init',
  'trace_eval_init',
  'ftrace_check_for_weak_functions',
];
/** The console, no devices that are not there, and no self-tests of ciphers. */
const COMMAND_LINE = `console=ttyS0 pci=off noapic vsyscall=xonly cryptomgr.notests initcall_blacklist=${LEFT_OUT.join(',')}`;
/** Instructions that make up a second of the kernel's time: few, because a kernel that waits for time executes. */
const TSC_HZ = 100_000_000;
/** Kernels ask processors of Intel alone for it, and calibrate others against clocks that are not there. */
const TSC_FREQUENCY = `tsc_early_khz=${TSC_HZ / 1000}`;
/** Between two looks at the console. */
const CHUNK = 4_000_000;
const MOST_INSTRUCTIONS = 8_000_000_000;
const PANIC = /^.*Kernel panic - not syncing.*$/m;
const READY = 0;
/** How our program ends where it may not use its port (emulator/linux/workload/workload.S, NO_PORTS). */
const NO_PORTS = 'exitcode=0x00004700';

export interface BootOptions {
  /** What follows our own command line. */
  readonly commandLine: string;
  /** Names of `CPU_FEATURES`. */
  readonly features: ReadonlySet<string>;
  readonly cpus: number;
  readonly memoryMiB: number;
}

/**
 * How far it came: our program is ready; the kernel gave up; every CPU waits and nothing will wake one; a CPU is in
 * shutdown; it needs what this emulator does not do; the most instructions are used up.
 */
type BootEnd = 'ready' | 'panic' | 'asleep' | 'shutdown' | 'refused' | 'unfinished';

export interface BootedKernel {
  readonly linux: LinuxMachine;
  readonly end: BootEnd;
  /** Of an end other than `ready`: in words, if there are some. */
  readonly reason: string;
  /** The whole command line. */
  readonly commandLine: string;
  readonly fromCache: boolean;
  /** Of the boot, whenever that was: instructions that the CPUs retired. */
  readonly instructions: number;
  /** The state as bytes, for `restoredKernel`; undefined of an end other than `ready`. */
  readonly state: Uint8Array | undefined;
  /** CPU time of this process for booting, or for reading the state. */
  readonly cpuSeconds: number;
}

export function bootKernel(
  image: Pick<KernelImage, 'entry' | 'segments' | 'vmlinuxSha256'>,
  workload: Workload,
  options: BootOptions,
  progress: (linux: LinuxMachine) => void,
): BootedKernel {
  const frequency = options.features.has('amd') ? TSC_FREQUENCY : '';
  const commandLine = [COMMAND_LINE, frequency, options.commandLine].filter((part) => part !== '').join(' ');
  const machine = { ...options, commandLine, tscHz: TSC_HZ, image, initrd: workload.initrd };
  const name = stateName({
    kernel: image.vmlinuxSha256,
    commandLine,
    features: [...options.features].sort(),
    cpus: options.cpus,
    memoryMiB: options.memoryMiB,
    tscHz: TSC_HZ,
    initrd: workload.initrd,
  });
  const before = process.cpuUsage();
  let state: Uint8Array | undefined;
  const kept = recall(name, (bytes) => {
    state = bytes;
    return restoredKernel(bytes, options);
  });
  const linux = kept ?? linuxMachine(machine);
  const { end, reason } = kept === undefined ? run(linux, progress) : { end: 'ready' as const, reason: '' };
  if (kept === undefined && end === 'ready') {
    settle(linux);
    state = saveState(linux);
    keepState(name, state);
  }
  const { user, system } = process.cpuUsage(before);
  return {
    linux,
    end,
    reason,
    commandLine,
    fromCache: kept !== undefined,
    instructions: linux.platform.retired(),
    state,
    cpuSeconds: (user + system) / 1e6,
  };
}

/**
 * The machine of a kernel that was booted with the same options.
 * @throws Malformed if the bytes are not the state of one
 */
export function restoredKernel(state: Uint8Array, options: BootOptions): LinuxMachine {
  const linux = emptyLinuxMachine({ ...options, tscHz: TSC_HZ, image: { entry: 0, segments: [] } });
  try {
    restoreState(linux, state);
    return linux;
  } catch (error) {
    throw error instanceof SavedStateError ? new Malformed(error.message) : error;
  }
}

function hintFor(panic: string): string {
  return panic.includes(NO_PORTS)
    ? '; our program may not use its port: build the kernel with CONFIG_X86_IOPL_IOPERM'
    : '';
}

function run(linux: LinuxMachine, progress: (linux: LinuxMachine) => void): { end: BootEnd; reason: string } {
  const { platform, interleaving } = linux;
  let ready = false;
  platform.announced = (_cpu, value) => {
    ready ||= value === READY;
    interleaving.stop = true;
  };
  try {
    while (platform.readTsc() < MOST_INSTRUCTIONS) {
      const end = interleaving.run(CHUNK);
      if (ready) return { end: 'ready', reason: '' };
      const [panic] = PANIC.exec(platform.console.text) ?? [];
      if (panic !== undefined) return { end: 'panic', reason: `${panic.trim()}${hintFor(panic)}` };
      if (end === 'asleep') return { end, reason: 'every CPU waits, and no timer is armed' };
      if (end === 'shutdown') return { end, reason: 'a CPU is in shutdown, after a triple fault' };
      progress(linux);
    }
    return { end: 'unfinished', reason: `not ready within ${MOST_INSTRUCTIONS} instructions` };
  } catch (error) {
    if (!(error instanceof UnimplementedError || error instanceof TrampolineError)) throw error;
    return { end: 'refused', reason: error.message };
  } finally {
    platform.announced = () => {};
  }
}
