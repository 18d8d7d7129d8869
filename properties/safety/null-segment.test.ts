/** Promise: a base of a null selector that a kernel without FSGSBASE does not know may change, and no other one. */
import { CR4, CR4_FSGSBASE, FS } from '../../emulator/registers';
import { fullPlatform } from '../../emulator/testing/full-platform';
import { smallMachine } from '../../emulator/testing/small-machine';
import { mayComeBackWithOtherBase } from './null-segment';

function answer(vendor: 'intel' | 'amd', selector: number, base: number, cr4 = 0): boolean {
  const { cpu } = smallMachine(1, { ...fullPlatform(), vendor });
  cpu.r[CR4] |= cr4;
  cpu.r[FS] = selector;
  return mayComeBackWithOtherBase(cpu, FS, base, 0);
}

test('Intel makes it 0, AMD leaves the last one', () => {
  expect([answer('intel', 0, 0), answer('intel', 3, 0), answer('intel', 0, 0x1000), answer('amd', 0, 0x1000)]).toEqual([
    true,
    true,
    false,
    true,
  ]);
});

test('with a selector, or with FSGSBASE, it is as it was', () => {
  expect([answer('intel', 0x2b, 0), answer('amd', 0x2b, 0x1000), answer('amd', 0, 0, CR4_FSGSBASE)]).toEqual([
    false,
    false,
    false,
  ]);
});
