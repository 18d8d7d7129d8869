/**
 * Promises: the abstract state that refinement holds, and brings up to date by what was touched, is the abstraction of
 * the machine: after every action of random walks, with rollbacks in between.
 */
import { Subject } from '../campaign/subject';
import { randomStream } from '../exploration/seeded-random';
import { AbstractKey } from './abstract-key';
import { abstractKey } from './abstraction';

const WALKS = 6;
const ACTIONS = 160;

test.each(['mainline', 'deferred-pertask'])('walks of %s', (design) => {
  const { system, guest } = new Subject({ design });
  const { refinement } = system;
  if (refinement === undefined) throw new Error(`expected ${design} to be judged by its model`);
  const whole = new AbstractKey(refinement.model.bounds);
  const draw = randomStream(design);
  const below = (n: number): number => Math.floor(draw() * n);
  let compared = 0;
  for (let walk = 0; walk < WALKS; walk++) {
    system.reset();
    for (let i = 0; i < ACTIONS; i++) {
      const options = system.options();
      // Events are rare, or no task would get as far as a context switch.
      const steps = options.filter(({ kind }) => kind === 'step');
      const chosen = steps.length > 0 && below(12) > 0 ? steps : options;
      const option = chosen[below(chosen.length)];
      const stops = option.kind === 'step' && below(12) === 0;
      const mark = system.mark();
      const { outcome } = system.take(
        stops ? { kind: 'part', cpu: option.cpu, fraction: draw() } : option,
        (alternatives) => below(alternatives),
      );
      if (outcome.kind !== 'done' || below(30) === 0) system.rollback(mark);
      system.release(mark);
      expect(outcome.kind).not.toMatch(/violated|diverged/);
      expect(abstractKey(guest.monitor, whole)).toBeUndefined();
      expect(refinement.save()).toEqual(whole.words);
      compared++;
    }
  }
  expect(compared).toBeGreaterThan(WALKS * 10);
});
