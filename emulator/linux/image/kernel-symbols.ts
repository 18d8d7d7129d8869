/** The symbols of a kernel, from whichever table its image has: name to address, and address to name. */
import type { ElfImage } from '../../elf/elf-image';
import { readKallsyms } from './kallsyms';
import { KernelImageError } from './kernel-image-error';

/** Where the symbols are from: kallsyms, its offsets before the names or behind the tokens, or the ELF table. */
export type SymbolLayout = 'offsets-first' | 'offsets-last' | 'symtab';

export interface KernelSymbol {
  readonly name: string;
  /** Virtual address, sign-folded; of a per-CPU variable its offset in the area of a CPU. */
  readonly address: number;
  readonly global: boolean;
}

export interface KernelSymbols {
  readonly layout: SymbolLayout;
  /** In the order of unsigned addresses. */
  readonly list: readonly KernelSymbol[];
  /** The address of a symbol; of equal names that of the global one, else of the first. */
  find(name: string): number | undefined;
  /**
   * The address of a symbol that has to be there.
   * @throws KernelImageError
   */
  address(name: string): number;
  /** How a reader knows a place in the kernel: the last symbol at or below it. */
  symbolAt(va: number): { name: string; offset: number } | undefined;
}

/**
 * The symbols of a vmlinux: those of its ELF table if it has one (a build of one's own), else kallsyms.
 * @throws KernelImageError if it has neither
 */
export function readSymbols(elf: ElfImage): KernelSymbols {
  if (elf.symbols.size > 0) return symbolsFrom(elf.name, 'symtab', symbolTable(elf));
  for (const { data } of elf.segments) {
    const found = readKallsyms(data, elf.name);
    if (found !== undefined) return symbolsFrom(elf.name, found.layout, found.symbols);
  }
  throw new KernelImageError(
    'missing-information',
    `${elf.name}: expected the symbols of the kernel in .symtab or in kallsyms, found neither; ` +
      'build it with CONFIG_KALLSYMS, or give the vmlinux of the build.',
  );
}

function symbolTable(elf: ElfImage): KernelSymbol[] {
  const list = Array.from(elf.symbols, ([name, address]) => ({ name, address, global: true }));
  return list.sort((a, b) => order(a.address) - order(b.address));
}

function symbolsFrom(file: string, layout: SymbolLayout, list: readonly KernelSymbol[]): KernelSymbols {
  const byName = new Map<string, KernelSymbol>();
  for (const symbol of list) {
    const other = byName.get(symbol.name);
    if (other === undefined || (symbol.global && !other.global)) byName.set(symbol.name, symbol);
  }
  const find = (name: string) => byName.get(name)?.address;
  return {
    layout,
    list,
    find,
    address: (name) => {
      const found = find(name);
      if (found !== undefined) return found;
      throw new KernelImageError(
        'missing-information',
        `${file}: expected the symbol ${name}, found none in ${list.length} symbols; ` +
          'build the kernel with CONFIG_KALLSYMS_ALL, or give the vmlinux of the build.',
      );
    },
    symbolAt: (va) => symbolAt(list, va),
  };
}

/** Per-CPU variables are no places, and behind the last symbol begins what is not the kernel's image. */
function symbolAt(list: readonly KernelSymbol[], va: number): { name: string; offset: number } | undefined {
  if (va >= 0 || list.length === 0 || va > list[list.length - 1].address) return undefined;
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (order(list[middle].address) <= order(va)) low = middle + 1;
    else high = middle;
  }
  let found = list[low - 1];
  if (found === undefined || found.address >= 0) return undefined;
  // Of several names for one place a global one is what people know.
  for (let i = low - 2; i >= 0 && list[i].address === found.address; i--) {
    if (list[i].global || !found.global) found = list[i];
  }
  return { name: found.name, offset: va - found.address };
}

/** The kernel half, which is negative, lies above the user half. */
function order(va: number): number {
  return va < 0 ? va + 2 ** 49 : va;
}
