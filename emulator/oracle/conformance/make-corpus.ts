/**
 * Vectors of the conformance corpus, made by running scenes here and on QEMU. What is expected is what the emulator
 * does, where QEMU does the same, or where a row of the accepted differences says what QEMU does instead; a vector that
 * neither holds of ends the making. Scenes that the emulator refuses or that end in a shutdown are left out.
 */
import { ACCEPTED_DIFFERENCES, type Difference } from '../accepted-differences';
import { ACCEPTED_DIVERGENCES } from '../accepted-divergences';
import { drawVector } from '../scenes/random-scene';
import { SCENE_REGISTERS, type Scene } from '../scenes/scene';
import { baseMemory, baseRegisters, get64, physicalOf } from '../scenes/scene-layout';
import type { SceneRun } from '../scenes/scene-run';
import type { Template } from '../scenes/scene-templates';
import { type CorpusFile, type CorpusVector, FORMAT } from './corpus-file';
import { difference, emptyState } from './corpus-state';
import { Replay } from './replay';

/** The machines differ in a vector, and nothing says why. */
export class UnexplainedVector extends Error {
  override readonly name = 'UnexplainedVector';
  readonly differences: readonly Difference[];

  constructor(vector: string, differences: readonly Difference[]) {
    super(`${vector}: the machines differ, and no accepted difference says why`);
    this.differences = differences;
  }
}

const ROWS = new Map(
  [...ACCEPTED_DIFFERENCES, ...ACCEPTED_DIVERGENCES].map(({ name, vendor, section, why }) => [
    name,
    { vendor, section, why },
  ]),
);

/** `count` vectors of a template, without those that come twice. Without a run they are not compared. */
export async function makeVectors(
  run: SceneRun | undefined,
  template: Template,
  options: { count: number; seed: string; qemu: string; stream: (seed: string) => () => number },
): Promise<CorpusFile> {
  const base = { registers: baseRegisters(template.cpl === 3 ? 3 : 0), memory: baseMemory() };
  const file: CorpusFile = {
    format: FORMAT,
    kind: template.name,
    made: { by: 'pti-check, scripts/make-conformance.sh', seed: options.seed, qemu: options.qemu },
    differences: {},
    base: difference(emptyState(new Map(SCENE_REGISTERS.map((name) => [name, 0n]))), base),
    vectors: [],
  };
  const replay = new Replay(file);
  const seen = new Set<string>();
  for (let i = 0; i < options.count; i++) {
    const name = `${template.name} ${i}`;
    const scene = drawVector(options.stream(`${options.seed} ${name}`), template);
    const title = `${name}: ${codeOf(scene)}`;
    const vector = run === undefined ? described(scene, title, base) : await compared(run, scene, title, base);
    if (vector === undefined) continue;
    const final = replay.run(vector);
    if (final === undefined) continue;
    const made = { ...vector, final };
    const key = JSON.stringify([made.initial, made.events, made.steps]);
    if (seen.has(key)) continue;
    seen.add(key);
    file.vectors.push(made);
  }
  const names = new Set(file.vectors.flatMap(({ qemu }) => (qemu === 'not compared' ? [] : qemu)));
  for (const [name, row] of ROWS) if (names.has(name)) file.differences[name] = row;
  return file;
}

/** The vector without its final state; undefined if the scene is none. */
async function compared(
  run: SceneRun,
  scene: Scene,
  name: string,
  base: Pick<Scene, 'registers' | 'memory'>,
): Promise<Omit<CorpusVector, 'final'> | undefined> {
  const { end, steps, accepted } = await run.run(scene);
  if (end.kind === 'refused' || end.kind === 'stopped') return undefined;
  if (end.kind === 'difference') throw new UnexplainedVector(name, end.differences);
  const qemu = [...accepted.keys(), ...(end.kind === 'diverged' ? [end.name] : [])].sort();
  const events = scene.events.filter(({ step }) => step < steps).map(({ step, raise }) => ({ step, raise }));
  return described({ ...scene, events, steps }, name, base, qemu);
}

function described(
  scene: Scene,
  name: string,
  base: Pick<Scene, 'registers' | 'memory'>,
  qemu: CorpusVector['qemu'] = 'not compared',
): Omit<CorpusVector, 'final'> {
  const { events, steps } = scene;
  return { name, initial: difference(base, scene), events: [...events], steps, qemu };
}

/** The first bytes of the code, in hexadecimal, up to the padding. */
function codeOf({ registers, memory }: Scene): string {
  const at = physicalOf(registers.get('rip') as bigint);
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(get64(memory, at));
  return bytes.toString('hex').replace(/(90)+$/, '') || '90';
}
