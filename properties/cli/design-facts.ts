/**
 * What a design costs, measured on its image and not declared: stack bytes per task, and pages that its user table maps
 * for the kernel.
 */
import { designImage } from '../designs/images';
import { type Manifest, readManifest } from '../guest/manifest';
import { bootGuest } from '../monitor/guest';
import { userTablePages as leafPages } from '../safety/user-table-is-minimal';

/** The design against which memory is counted. */
const BASELINE = 'mainline';

function manifestOf(id: string): Manifest {
  const image = designImage(id);
  if (image === undefined) throw new RangeError(`no image of ${id}`);
  return readManifest(image);
}

/** Bytes of physical stack that every task has of its own. */
function stackBytesPerTask({ stacks }: Manifest): number {
  return (stacks.get('kernel')?.size ?? 0) + (stacks.get('pti')?.size ?? 0);
}

export function extraBytesPerTask(id: string): number {
  return stackBytesPerTask(manifestOf(id)) - stackBytesPerTask(manifestOf(BASELINE));
}

/** Leaf pages in the kernel's addresses of the user table of address space 0, after boot. */
export function userTablePages(id: string): number {
  const image = designImage(id);
  if (image === undefined) throw new RangeError(`no image of ${id}`);
  return leafPages(bootGuest(image).view);
}
