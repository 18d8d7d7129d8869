/**
 * Mutants of a kernel's entry code: each instruction that is executed is left out in turn, and the check is asked
 * whether it notices. What is noticed is killed; what survives says what is not executed or not asked.
 */
import type { ListedInstruction } from '../../emulator/disassemble';
import type { KernelCode } from '../../emulator/linux/image/kernel-code';
import { type EntryCoverage, type MutatedExtent, runAlone } from './entry-coverage';
import { sweepExcursion } from './event-sweep';
import type { ExcursionName } from './excursions';
import type { KernelSystem } from './kernel-system';
import type { KernelText } from './kernel-text';
import { runAtRandom } from './random-run';
import type { SweptCode } from './swept-code';

/** An instruction that can be left out, and the excursions that would notice. */
export interface EntryMutant {
  readonly va: number;
  /** Bytes of it. */
  readonly length: number;
  /** AT&T text. */
  readonly text: string;
  /** A write of CR3, SWAPGS, or a switch of stacks. */
  readonly critical: boolean;
  /** Excursions that execute it, the shortest first, with their lengths in boundaries. */
  readonly own: readonly CoveringExcursion[];
  /** Excursions in whose events it is executed, the shortest first. */
  readonly inEvents: readonly CoveringExcursion[];
}

interface CoveringExcursion extends ExcursionName {
  readonly length: number;
}

/** What became of a mutant. */
export interface MutantVerdict {
  readonly va: number;
  /** What it violates, and where that was seen; undefined if it survives. */
  readonly killed: { readonly property: string; readonly excursion: string; readonly rip: number } | undefined;
}

const CRITICAL = /^(mov %\w+,%cr3|swapgs|wrgsbase .*|mov .*[^(]%rsp|xchg .*%rsp.*|pop %rsp)$/;
/** To leave these out changes nothing: they do nothing, or mark where an indirect branch may lead. */
const WITHOUT_EFFECT = /^(nop[lw]?|endbr64|xchg %ax,%ax|data16)( |$)/;

/** An excursion of a mutant does not end if it takes this many times its length, and this many boundaries more. */
const TIMES_AS_LONG = 2,
  BOUNDARIES_MORE = 60_000;
/** So many of the shortest excursions are tried in all rounds, and with an event at every boundary. */
const MOST_TRIED = 3;
/** Longer excursions are run only by themselves. */
const LONGEST_TRIED = 60_000;
/** Rounds of the program: in each it puts something else into RFLAGS. */
const ROUNDS = [0, 1, 2, 3];
/** Random runs of a critical instruction, and instructions that retire in each. */
const RANDOM_RUNS = 20,
  INSTRUCTIONS_AT_RANDOM = 800_000;

/** Entry code, and the function that goes from one task's stack to another's. */
export function mutatedExtents(code: Pick<KernelCode, 'entry' | 'switchTo'>, text: KernelText): MutatedExtent[] {
  const last = text.behind('__switch_to_asm')?.at(-1);
  const end = last === undefined ? code.switchTo : last.va + last.bytes.length;
  return [code.entry, { start: code.switchTo, end }];
}

/** The mutants of a kernel: one for each executed instruction that does something, in the order of addresses. */
export function mutantsOf(
  text: KernelText,
  extents: readonly MutatedExtent[],
  coverage: readonly EntryCoverage[],
): EntryMutant[] {
  const shortestFirst = [...coverage].sort((a, b) => a.length - b.length);
  const own = byAddress(shortestFirst, (covered) => covered.own);
  const inEvents = byAddress(shortestFirst, (covered) => covered.inEvents);
  return [...new Set([...own.keys(), ...inEvents.keys()])]
    .sort((a, b) => a - b)
    .flatMap((va) => {
      const instruction = instructionAt(text, extents, va);
      if (WITHOUT_EFFECT.test(instruction.text)) return [];
      return [
        {
          va,
          length: instruction.bytes.length,
          text: instruction.text,
          critical: CRITICAL.test(instruction.text),
          own: own.get(va) ?? [],
          inEvents: inEvents.get(va) ?? [],
        },
      ];
    });
}

/** Longest instruction of the architecture, bytes. */
const LONGEST_INSTRUCTION = 15;

function instructionAt(text: KernelText, extents: readonly MutatedExtent[], va: number): ListedInstruction {
  const end = extents.find((extent) => extent.start <= va && va < extent.end)?.end ?? va;
  return text.between(va, Math.min(end, va + LONGEST_INSTRUCTION))[0];
}

function byAddress(
  coverage: readonly EntryCoverage[],
  addressesOf: (covered: EntryCoverage) => readonly number[],
): Map<number, CoveringExcursion[]> {
  const all = new Map<number, CoveringExcursion[]>();
  for (const covered of coverage)
    for (const va of addressesOf(covered)) {
      const excursions = all.get(va) ?? [];
      excursions.push({ ...covered.excursion, length: covered.length });
      all.set(va, excursions);
    }
  return all;
}

/**
 * Leaves the instruction out and asks: the excursions that execute it, one after the other by themselves; then the
 * shortest of them in all rounds, and with an event at every boundary; and where it is critical random runs. The system
 * is in the state after the boot, and is again afterwards.
 */
export function tryMutant(system: KernelSystem, code: SweptCode, text: KernelText, mutant: EntryMutant): MutantVerdict {
  const { va, own, inEvents } = mutant;
  const mark = system.mark();
  text.leaveOut(va, mutant.length);
  const tried = [...own, ...inEvents].filter(({ length }) => length <= LONGEST_TRIED).slice(0, MOST_TRIED);
  const killed =
    killedAlone(system, va, own) ??
    killedAlone(system, va, inAllRounds(tried)) ??
    killedInSweep(system, code, tried) ??
    (mutant.critical ? killedAtRandom(system, va, tried) : undefined);
  system.rollback(mark);
  system.release(mark);
  return { va, killed };
}

function inAllRounds(excursions: readonly CoveringExcursion[]): CoveringExcursion[] {
  return excursions.flatMap((excursion) => ROUNDS.map((round) => ({ ...excursion, round })));
}

function killedAlone(
  system: KernelSystem,
  va: number,
  excursions: readonly CoveringExcursion[],
): MutantVerdict['killed'] {
  for (const { name, round, length } of excursions) {
    const { complete, violation } = runAlone(system, { name, round }, TIMES_AS_LONG * length + BOUNDARIES_MORE);
    if (violation !== undefined) return { property: violation.property, excursion: name, rip: violation.rip };
    if (!complete) return { property: 'excursion-ends', excursion: name, rip: va };
  }
  return undefined;
}

/**
 * What is wrong with a stack shows when another task gets the CPU, which takes time: from an excursion on the program
 * runs through the next ones, with NMIs and ticks of the timer at random moments.
 */
function killedAtRandom(
  system: KernelSystem,
  va: number,
  excursions: readonly CoveringExcursion[],
): MutantVerdict['killed'] {
  for (let run = 0; run < RANDOM_RUNS && excursions.length > 0; run++) {
    const { name, round } = excursions[run % excursions.length];
    const start = system.mark();
    system.perform({ action: 'excursion', name, round });
    runAtRandom(system.linux, system, { seed: `${va} ${run}`, instructions: INSTRUCTIONS_AT_RANDOM });
    const { violation } = system;
    system.rollback(start);
    system.release(start);
    if (violation !== undefined) return { property: violation.property, excursion: name, rip: violation.rip };
  }
  return undefined;
}

function killedInSweep(
  system: KernelSystem,
  code: SweptCode,
  excursions: readonly CoveringExcursion[],
): MutantVerdict['killed'] {
  for (const { name, round } of excursions) {
    const { failures } = sweepExcursion(system, code, { name, round }, () => false, 1);
    if (failures.length > 0) return { property: failures[0].property, excursion: name, rip: failures[0].rip };
  }
  return undefined;
}
