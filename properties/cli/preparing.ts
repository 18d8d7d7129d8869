/**
 * What a command always needs and another thread can do, while this one has yet to load the command line and to read
 * it.
 */
import { optimiseLater } from '../engine';

// biome-ignore lint/style/noCommonJs: loaded late, because most commands do without workers
const loadPools = () => require('./with-pool') as typeof import('./with-pool');

const BY_COMMAND = new Map<string | undefined, () => void>([
  ['verify', () => loadPools().prepareForSearch()],
  ['prove', () => loadPools().prepareForProof()],
  ['kernel', optimiseLater],
]);

/** Begins what the command needs that is the first word of a command line. */
export function prepareFor(command: string | undefined): void {
  BY_COMMAND.get(command)?.();
}
