/** An ELF image without one of its symbols, for checks of what an image may leave out. */

/** The bytes of the image with the symbol under another name of the same length. */
export function withoutSymbol(bytes: Uint8Array, symbol: string): Uint8Array {
  const copy = Buffer.from(bytes);
  const name = Buffer.from(`${symbol}\0`);
  for (let at = copy.indexOf(name); at >= 0; at = copy.indexOf(name, at + 1)) copy[at] = 'x'.charCodeAt(0);
  return copy;
}
