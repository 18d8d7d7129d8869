/** Random scenes: of one template, with at most a few things wrong; or of many, one after the other. */
import type { Scene } from './scene';
import { SceneDraft } from './scene-draft';
import { addEvent, MUTATIONS } from './scene-mutations';
import { TEMPLATES, type Template } from './scene-templates';

const NOP = 0x90;
/** After the instruction of a vector, so that the steps after it are defined. */
const PADDING = 8;

/** One instruction and what comes of it in one to three steps. */
export function drawVector(random: () => number, template: Template): Scene {
  const dice = random();
  const usual = template.cpl === 'any' ? (dice < 0.5 ? 0 : 3) : template.cpl;
  const draft = new SceneDraft(random, dice > 0.9 ? 3 : usual, false);
  for (let n = draft.below(3); n > 0; n--) draft.pick(MUTATIONS)(draft);
  template.write(draft);
  draft.code(...new Array(PADDING).fill(NOP));
  if (draft.wantsSteps !== undefined) return finished(draft, draft.wantsSteps);
  if (draft.once(8)) addEvent(draft, 0);
  const steps = draft.once(4) ? 3 : 1;
  if (steps > 1 && draft.once(2)) addEvent(draft, 1 + draft.below(2));
  return finished(draft, steps);
}

/** Code of `length` templates, and as many steps as it takes if nothing goes wrong, with events among them. */
export function drawSequence(random: () => number, length: number): Scene {
  const draft = new SceneDraft(random, random() < 0.6 ? 0 : 3, true);
  for (let n = draft.below(4); n > 0; n--) draft.pick(MUTATIONS)(draft);
  const fitting = TEMPLATES.filter(({ cpl }) => cpl === 'any' || cpl === draft.cpl);
  for (let n = 0; n < length; n++) draft.pick(draft.once(12) ? TEMPLATES : fitting).write(draft);
  const steps = 2 * length;
  for (let step = 0; step < steps; step++) if (draft.once(6)) addEvent(draft, step);
  return finished(draft, steps);
}

function finished({ registers, memory, events }: SceneDraft, steps: number): Scene {
  return { registers, memory, events, steps };
}
