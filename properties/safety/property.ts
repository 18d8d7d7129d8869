/** A property of the concrete machine: one descriptor, in one file, in one list (index.ts). */
import type { GuestView } from '../guest/guest-view';
import { MOMENTS, type Moments } from './moments';

export type { Answer } from './moments';

/** An optional symbol of the manifest without which a property is not asked, or asks less. */
export interface Need {
  /** As the manifest's documentation spells it: `manifest.nmi_handler`, `manifest.stack.pti`. */
  readonly symbol: string;
  /** What is not asked without it, where that is not all of the property. */
  readonly part?: string;
}

/** What somebody states about the machine, and when it is asked. */
export interface Property {
  /** Its name everywhere: lower-case words with hyphens. */
  readonly slug: string;
  /** What it promises, in one sentence. */
  readonly promise: string;
  /** What has gone wrong in a kernel that violates it, in one sentence. */
  readonly violated: string;
  /** The checks; a function of the machine where they keep something of it that no rollback has to undo. */
  readonly moments: Moments | ((view: GuestView) => Moments);
  /** What it needs of the manifest of an image. */
  readonly needs?: readonly Need[];
}

/** One of the properties that this program knows, with what the documents say of it. */
export interface BuiltInProperty extends Property {
  /** S1 to S99 are 1 to 99, L1 to L99 are 101 to 199. The lowest number is reported. */
  readonly number: number;
  /** What must hold, exactly. Markdown. */
  readonly definition: string;
  /** When it is asked beside its moments. Markdown. */
  readonly alsoJudged?: string;
  /** Its form in the abstract machine, or `-`. Markdown. */
  readonly model: string;
  /** A mutant, or an unsafe design, that violates it. */
  readonly mutant: string;
}

const SLUG = /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/;

/**
 * A property of your own, for the library and `fuzz --property FILE`. Answers what it is given.
 * @throws {TypeError} where a part is missing or the slug is not one.
 */
export function defineProperty(property: Property): Property {
  const { slug, promise, violated, moments } = property;
  if (typeof slug !== 'string' || !SLUG.test(slug))
    throw new TypeError(
      `expected a slug of lower-case words with hyphens, such as cr4-is-pinned, found ${String(slug)}`,
    );
  for (const [name, sentence] of Object.entries({ promise, violated }))
    if (typeof sentence !== 'string' || sentence === '')
      throw new TypeError(`expected a sentence as ${name} of the property ${slug}, found ${String(sentence)}`);
  if (moments === null || (typeof moments !== 'object' && typeof moments !== 'function'))
    throw new TypeError(`expected moments of the property ${slug}, an object of functions, found ${String(moments)}`);
  const wrong = typeof moments === 'object' && Object.keys(moments).find((moment) => !Object.hasOwn(MOMENTS, moment));
  if (wrong)
    throw new TypeError(
      `${slug}: expected a moment, found ${wrong}; the moments are ${Object.keys(MOMENTS).join(', ')}`,
    );
  return property;
}

/** The first violating moment of a run. */
export interface Violation {
  readonly property: number;
  readonly cpu: number;
  /** Address of the instruction that was executing, or that was interrupted. */
  readonly rip: number;
  /** One sentence: what was expected, what was found. */
  readonly message: string;
}
