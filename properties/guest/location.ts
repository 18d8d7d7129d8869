/** Names of addresses in an image. */
import type { Places } from './guest-view';

/** symbol+offset (hexadecimal, always with an offset) of an address, or the address where no symbol is near. */
export function locationName(image: Pick<Places, 'symbolAt'>, va: number): string {
  const near = image.symbolAt(va);
  return near === undefined ? `0x${(va >>> 0).toString(16)}` : `${near.name}+0x${near.offset.toString(16)}`;
}
