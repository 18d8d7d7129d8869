/**
 * What a program imports from `pti-check/jest`: matchers. A failure message holds the short trace, the saved case and
 * the line that replays it.
 *
 *   expect('mainline').toHold({ cpus: 2, tasks: 3 })                      the exhaustive search of a design
 *   expect(image('my.elf')).toRefine(design, { seed: 'a', seconds: 20 })  machine code against a design
 *   expect('cases/x.json').toReplay()                                     a saved case still fails as it did
 */

import { explain, propertyLabel } from '../report/explain';
import { actionName } from '../report/names';
import type { Matched } from '../testing/matchers';
import {
  type Design,
  type FuzzOptions,
  fuzz,
  type Image,
  replay,
  type Verified,
  type VerifyOptions,
  verify,
} from './index';

declare global {
  // biome-ignore lint/style/noNamespace: this is how @types/jest is extended
  namespace jest {
    /** What `expect(...)` has besides. */
    interface Matchers<R> {
      /** A design holds in every reachable state within bounds. */
      toHold(options?: VerifyOptions): R;
      /** An image refines a design and violates no property, in random runs and at every instruction boundary. */
      toRefine(design: Design, options: Omit<FuzzOptions, 'image'>): R;
      /** A saved case, or the one in a file, fails as it did when it was saved. */
      toReplay(): R;
    }
  }
}

function traceInWords({ trace = [], bounds }: Pick<Verified, 'trace' | 'bounds'>): string[] {
  return trace.map((action, i) => `  ${String(i + 1).padStart(6)}  c${action.cpu}  ${actionName(action, bounds)}`);
}

function toHold(received: Design, options?: VerifyOptions): Matched {
  const found = verify(received, options);
  const { design, verdict, property, states } = found;
  const pass = verdict === 'holds';
  const message = () => {
    if (property === undefined)
      return `expected ${design} ${pass ? 'not ' : ''}to hold, found ${verdict} after ${states} states`;
    return [
      `expected ${design} to hold, found ${verdict}: ${property} ${propertyLabel(property)}`,
      `  meaning  ${explain(property).violated}`,
      '  the shortest trace:',
      ...traceInWords(found),
    ].join('\n');
  };
  return { pass, message };
}

function toRefine(received: Image, design: Design, options: Omit<FuzzOptions, 'image'>): Matched {
  const { verdict, runs, failure } = fuzz(design, { ...options, image: received });
  const name = typeof design === 'string' ? design : design.name;
  const message = () =>
    [
      `expected ${received.name} ${failure === undefined ? 'not ' : ''}to refine ${name}, found ${verdict} in ${runs} runs of seed ${JSON.stringify(options.seed)}`,
      ...(failure === undefined ? [] : [`  found    ${failure.message}`, ...failureTrace(failure)]),
    ].join('\n');
  return { pass: failure === undefined, message };
}

function failureTrace({ actions }: { readonly actions: NonNullable<Verified['trace']> }): string[] {
  const cpus = Math.max(1, ...actions.map(({ cpu }) => cpu + 1));
  return traceInWords({ trace: actions, bounds: { cpus, tasks: 0, mms: 0, nesting: 0, nmis: 0, irqs: 0 } });
}

function toReplay(received: Parameters<typeof replay>[0]): Matched {
  const { verdict, step, message } = replay(received);
  const pass = verdict === 'reproduced';
  const name = typeof received === 'string' ? received : received.property;
  return {
    pass,
    message: () =>
      `expected ${name} ${pass ? 'not ' : ''}to replay, found ${verdict} after ${step} actions: ${message}${typeof received === 'string' ? `\n  watch it  npx pti-check replay --step ${received}` : ''}`,
  };
}

/** Jest's own, which is a global of every test file. */
declare const expect: { extend(matchers: Readonly<Record<string, unknown>>): void };

expect.extend({ toHold, toRefine, toReplay });
