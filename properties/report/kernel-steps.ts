/**
 * A trace of a kernel replayed for a reader: what each action is, and the instructions that it executed, with places
 * from the kernel's symbols and with what entry code changes: privilege level, CR3, GS base and stack pointer.
 */
import type { KernelAction, KernelCase } from '../../counterexamples/kernel-case';
import type { Cpu } from '../../emulator/cpu/cpu';
import { disassemble } from '../../emulator/disassemble';
import type { KernelSymbols } from '../../emulator/linux/image/kernel-symbols';
import { CPL, CR3, GS_BASE, RSP } from '../../emulator/registers';
import { hex64 } from '../../emulator/words';
import { type KernelReplay, replayKernelCase } from '../linux/case-of-kernel';
import type { KernelSystem } from '../linux/kernel-system';
import { placeOf } from '../linux/place';
import { counted } from './numbers';

/** Of an action that executes more, the last ones: what leads to an excursion is thousands. */
const MOST_LINES = 400;
/** Of what the CPUs do by themselves. */
const MOST_OF_TURNS = 12;

/** An instruction that a CPU is about to execute, or an event that comes before it. */
interface KernelInstruction {
  readonly cpu: number;
  readonly place: string;
  readonly text: string;
  readonly cpl: number;
  readonly cr3: string;
  readonly gs: string;
  readonly rsp: string;
  /** The line of source, of an image that says. */
  readonly source?: string;
}

/** As much of a KernelImage as is needed. */
interface PlacesOfKernel {
  readonly symbols: Pick<KernelSymbols, 'symbolAt'>;
  sourceAt(va: number): string | undefined;
}

export interface KernelStep {
  readonly number: number;
  readonly action: KernelAction;
  /** Boundaries that it took. */
  readonly boundaries: number;
  /** The last of them. */
  readonly instructions: readonly KernelInstruction[];
}

export function recordKernelSteps(
  system: KernelSystem,
  saved: KernelCase,
  image: PlacesOfKernel,
): { replay: KernelReplay; steps: readonly KernelStep[] } {
  const steps: (KernelStep & { boundaries: number; instructions: KernelInstruction[] })[] = [];
  system.onBoundary = (cpu) => {
    const step = steps.at(-1);
    if (step === undefined) return;
    step.boundaries++;
    step.instructions.push(instructionOf(system, cpu, image));
    const most = step.action.action === 'turns' || step.action.action === 'excursion' ? MOST_OF_TURNS : MOST_LINES;
    if (step.instructions.length > most) step.instructions.shift();
  };
  const replay = replayKernelCase(system, saved, (action, number) => {
    steps.push({ number, action, boundaries: 0, instructions: [] });
  });
  system.onBoundary = undefined;
  return { replay, steps };
}

function instructionOf(
  { linux: { machine } }: KernelSystem,
  cpu: Cpu,
  { symbols, sourceAt }: PlacesOfKernel,
): KernelInstruction {
  const { r } = cpu;
  const va = cpu.rip();
  const source = sourceAt(va);
  return {
    cpu: cpu.index,
    place: placeOf(symbols, va),
    text: disassemble(machine, r[CR3], va, symbols),
    cpl: r[CPL],
    cr3: hex(r, CR3),
    gs: hex(r, GS_BASE),
    rsp: hex(r, RSP),
    ...(source === undefined ? {} : { source }),
  };
}

function hex(r: Int32Array, register: number): string {
  return hex64(r[register], r[register + 1]).replace(/^0+(?=.)/, '');
}

export function narrateKernelSteps(steps: readonly KernelStep[], { violation }: KernelReplay): string[] {
  const lines = steps.flatMap(({ number, action, boundaries, instructions }) => {
    const left = boundaries - instructions.length;
    return [
      `${number}. ${actionInWords(action)}${boundaries === 0 ? '' : `: ${counted(boundaries, 'boundary', 'boundaries')}`}`,
      ...(left === 0 ? [] : [`     (${counted(left, 'boundary', 'boundaries')} before these)`]),
      ...instructions.map(
        ({ cpu, place, text, cpl, cr3, gs, rsp, source }) =>
          `     c${cpu} ${place.padEnd(36)} ${text.padEnd(36)} CPL ${cpl}  CR3 ${cr3}  GS ${gs}  rsp ${rsp}${source === undefined ? '' : `  ${source}`}`,
      ),
    ];
  });
  return violation === undefined ? lines : [...lines, `=> ${violation.property}: ${violation.message}`];
}

export function actionInWords(action: KernelAction): string {
  switch (action.action) {
    case 'excursion':
      return `excursion ${action.name}, round ${action.round}`;
    case 'turns':
      return `${counted(action.count, 'boundary', 'boundaries')} of the CPUs in turn`;
    case 'run':
      return `${counted(action.count, 'boundary', 'boundaries')} of CPU ${action.cpu}`;
    case 'nmi':
      return `an NMI on CPU ${action.cpu}`;
    case 'irq':
      return `interrupt ${action.vector} on CPU ${action.cpu}`;
    case 'back':
      return `CPU ${action.cpu} comes back`;
    case 'unblock':
      return `NMIs are no longer blocked on CPU ${action.cpu}, ${counted(action.count, 'boundary', 'boundaries')} into their C function`;
    case 'debug':
      return `a debug exception on CPU ${action.cpu}`;
    case 'machine-check':
      return `a machine check on CPU ${action.cpu}`;
    case 'time':
      return 'time goes on to the next deadline of a timer';
  }
}
