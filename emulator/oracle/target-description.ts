/**
 * Which registers a gdbstub has, and where they are in the answer to `g`: read from its target description (GDB manual,
 * appendix G), so that no number of a register is written down here.
 */
import { GdbError, type GdbRemote } from './gdb-remote';

export interface TargetRegister {
  /** The number that `P` takes. */
  readonly index: number;
  /** Byte offset in the answer to `g`. */
  readonly offset: number;
  readonly bytes: number;
}

export type RegisterLayout = ReadonlyMap<string, TargetRegister>;

/** Reads `target.xml` and what it includes. Registers count on from document to document. */
export async function readRegisterLayout(gdb: GdbRemote): Promise<RegisterLayout> {
  const target = withoutComments(await gdb.document('features', 'target.xml'));
  const documents = [target];
  for (const [, href] of target.matchAll(/<xi:include\s[^>]*href="([^"]+)"/g))
    documents.push(withoutComments(await gdb.document('features', href)));
  return registerLayout(documents);
}

/** The layout that documents without comments describe. */
export function registerLayout(documents: readonly string[]): RegisterLayout {
  const layout = new Map<string, TargetRegister>();
  let offset = 0;
  let next = 0;
  for (const [element] of documents.join('\n').matchAll(/<reg\s[^>]*>/g)) {
    const name = attribute(element, 'name');
    const bits = Number(attribute(element, 'bitsize'));
    if (name === undefined || !(bits > 0) || bits % 8 !== 0)
      throw new GdbError(`expected a register with a name and whole bytes in the target description, found ${element}`);
    const index = Number(attribute(element, 'regnum') ?? next);
    layout.set(name, { index, offset, bytes: bits / 8 });
    offset += bits / 8;
    next = index + 1;
  }
  return layout;
}

/** QEMU's description has registers inside a comment, which do not count. */
export function withoutComments(xml: string): string {
  return xml.replace(/<!--[\s\S]*?-->/g, '');
}

function attribute(element: string, name: string): string | undefined {
  return new RegExp(`\\s${name}="([^"]*)"`).exec(element)?.[1];
}
