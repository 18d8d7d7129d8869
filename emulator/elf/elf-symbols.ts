/**
 * The symbol table of an image, both ways: name to value for the manifest, address to name for printing.
 * Versions, dynamic symbols and relocations are left out: a guest image is linked once and loaded where it was linked.
 */
import type { ElfBytes } from './elf-bytes';

/*
 * Elf64_Sym, 24 bytes:
 *
 *    0        4      5       6         8              16             24
 *    | name   | info | other | section | value        | size         |
 *             info: binding in the high four bits, type in the low four
 */
export const SYMBOL_SIZE = 24;

const SHN_UNDEF = 0;
const SHN_ABS = 0xfff1;
const STB_LOCAL = 0;
const STT_NOTYPE = 0;
const STT_FUNC = 2;
const STT_SECTION = 3;
const STT_FILE = 4;

export interface ElfSymbol {
  readonly name: string;
  readonly value: number;
  /** Index of its section, or 0xfff1 for an absolute symbol. */
  readonly section: number;
  readonly type: number;
  readonly local: boolean;
}

/**
 * Reads `table`, whose range was checked; undefined symbols and those that name a section or a source file are left
 * out.
 */
export function readSymbols(file: ElfBytes, offset: number, count: number, names: Uint8Array): ElfSymbol[] {
  const symbols: ElfSymbol[] = [];
  for (let i = 1; i < count; i++) {
    const symbol = readSymbol(file, offset + i * SYMBOL_SIZE, names);
    if (symbol !== undefined) symbols.push(symbol);
  }
  return symbols;
}

function readSymbol(file: ElfBytes, at: number, names: Uint8Array): ElfSymbol | undefined {
  const info = file.u8(at + 4);
  const type = info & 15;
  const section = file.u16(at + 6);
  const value = file.folded(at + 8);
  const name = file.text(names, file.u32(at));
  if (section === SHN_UNDEF || type === STT_SECTION || type === STT_FILE || value === undefined || name === '')
    return undefined;
  return { name, value, section, type, local: info >> 4 === STB_LOCAL };
}

/** Name to value. A global symbol wins over a local one of the same name, and the first of equals wins. */
export function valuesByName(symbols: readonly ElfSymbol[]): ReadonlyMap<string, number> {
  const values = new Map<string, number>();
  for (const wantLocal of [false, true]) {
    for (const { name, value, local } of symbols) {
      if (local === wantLocal && !values.has(name)) values.set(name, value);
    }
  }
  return values;
}

/** The symbols that may label code, by section, in ascending order and one an address. */
export function labelsBySection(symbols: readonly ElfSymbol[]): ReadonlyMap<number, readonly ElfSymbol[]> {
  const labels = new Map<number, ElfSymbol[]>();
  for (const symbol of symbols) {
    if (!isLabel(symbol)) continue;
    const section = labels.get(symbol.section);
    if (section === undefined) labels.set(symbol.section, [symbol]);
    else section.push(symbol);
  }
  for (const [section, list] of labels) labels.set(section, bestPerAddress(list));
  return labels;
}

// A manifest symbol repeats an address for the harness; it is never how a reader knows the place.
function isLabel(symbol: ElfSymbol): boolean {
  const named = symbol.type === STT_FUNC || symbol.type === STT_NOTYPE;
  return named && symbol.section !== SHN_ABS && !symbol.name.startsWith('manifest.');
}

function bestPerAddress(list: ElfSymbol[]): ElfSymbol[] {
  // Functions before bare labels, globals before locals; the sort is stable, so that the table's order decides the
  // rest.
  const rank = (s: ElfSymbol): number => (s.type === STT_FUNC ? 0 : 2) + (s.local ? 1 : 0);
  list.sort((a, b) => a.value - b.value || rank(a) - rank(b));
  return list.filter((symbol, i) => i === 0 || symbol.value !== list[i - 1].value);
}

/** The last label at or below `va`. */
export function nearestLabel(labels: readonly ElfSymbol[], va: number): ElfSymbol | undefined {
  let low = 0;
  let high = labels.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (labels[middle].value <= va) low = middle + 1;
    else high = middle;
  }
  return labels[low - 1];
}
