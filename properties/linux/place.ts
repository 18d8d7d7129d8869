/** How a place in a kernel is called: the last symbol at or below it and the distance, or the bare address. */
import type { KernelSymbols } from '../../emulator/linux/image/kernel-symbols';

export function placeOf(symbols: Pick<KernelSymbols, 'symbolAt'>, va: number): string {
  const place = symbols.symbolAt(va);
  if (place !== undefined) return `${place.name}+0x${place.offset.toString(16)}`;
  return `0x${BigInt.asUintN(64, BigInt(va)).toString(16)}`;
}
