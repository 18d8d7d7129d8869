/**
 * How large both machines are unless one asks for something else.
 */
import type { Bounds, OpenBounds } from '../../model/checker/language/schema-types';
import { DEFAULT_BOUNDS, VERIFY_BOUNDS } from '../../model/entry-model';
import { MUTANTS } from './registry';

/**
 * What both machines have in bare `pti-check` and in `fuzz`, as far as the image can boot it: with a third task one
 * waits for a CPU while two run, and of the three two share an address space and one does not.
 */
export const MACHINE_BOUNDS = { cpus: 2, tasks: 3, mms: 2 } as const;

/** What bare `pti-check` searches: the sizes of both machines; events and nesting have no bound. */
export const START_BOUNDS: OpenBounds = { ...VERIFY_BOUNDS, ...MACHINE_BOUNDS };

/**
 * Bounds in numbers for a design or mutant whose image is booted as given: those of the search for the shortest trace
 * to a failure of the machine code.
 */
export function searchBounds(id: string, image: Pick<Bounds, 'cpus' | 'tasks' | 'mms'>): Bounds {
  return { ...DEFAULT_BOUNDS, ...image, ...MUTANTS.find((mutant) => mutant.id === id)?.bounds };
}
