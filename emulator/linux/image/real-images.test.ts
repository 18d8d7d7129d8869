/**
 * Kernels of a distribution, where `PTI_CHECK_KERNELS` names a folder with some: their code, data and types were made
 * by others, so what two of them say of the same offset has to be equal. Kernel bytes are not in this repository, so
 * without such a folder nothing of this runs, and the one test says so.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { Instruction } from 'iced-x86';
import { isImplemented } from '../../decode/decoder';
import { readCpuFeatures } from '../platform/cpu-features';
import { LinuxPlatform } from '../platform/linux-platform';
import { instructionCoverage } from './instruction-coverage';
import { readKernelCode } from './kernel-code';
import { readKernelImage } from './kernel-image';
import { PT_REGS, PT_REGS_SIZE, readOffsets, TSS_WORDS } from './kernel-offsets';

/** What a kernel executes only where CPUID or a hypervisor offers it: the first words of the instructions' texts. */
const OPTIONAL = new Set([
  'lkgs',
  'monitor',
  'mwait',
  'rdpkru',
  'serialize',
  'tdcall',
  'tilerelease',
  'vmcall',
  'vmgexit',
  'vmmcall',
  'wrpkru',
  'xgetbv',
]);

const platform = new LinuxPlatform({ features: readCpuFeatures(''), tscHz: 1e9, startUp: () => {} });
const executes = (instruction: Instruction) => isImplemented(instruction, platform);

const folder = process.env.PTI_CHECK_KERNELS ?? '';

if (folder === '') {
  test('NOT RUN: PTI_CHECK_KERNELS names no folder, so no kernel of a distribution is read', () => {
    expect(folder).toBe('');
  });
} else {
  const files = readdirSync(folder).filter((name) => /^vmlinu|^linux-image.*\.deb$/.test(name));

  test(`${folder} has kernels`, () => expect(files).not.toEqual([]));

  for (const file of files) {
    describe(`${file}`, () => {
      const image = readKernelImage(path.join(folder, file));
      const { symbols, types } = image;

      test('its symbols lie in its sections', () => {
        const text = image.sections.get('.text');
        expect(symbols.find('_stext')).toBe(text?.addr);
        expect(symbols.list.length).toBeGreaterThan(1000);
        expect(symbols.find('startup_64')).toBe(image.entry + (image.segments[0].vaddr - image.segments[0].paddr));
        const sysret = symbols.address('entry_SYSCALL_64');
        expect(symbols.symbolAt(sysret + 3)).toEqual({ name: 'entry_SYSCALL_64', offset: 3 });
      });

      test('its code and data tell the offsets that its types tell', () => {
        const byCode = readOffsets(image, ['code']);
        expect(byCode.missing).toHaveLength(1);
        if (types === undefined) return;
        const byTypes = readOffsets(image, ['types']);
        expect({ ...byCode, cpuEntryArea: byTypes.cpuEntryArea, missing: [] }).toEqual(byTypes);
      });

      test('pt_regs and the TSS are what this repository says', () => {
        if (types === undefined) return;
        expect(types.size('pt_regs')).toBe(PT_REGS_SIZE);
        const offsets = Object.keys(PT_REGS).map((name) => [name, types.member('pt_regs', name)?.offset]);
        expect(Object.fromEntries(offsets)).toEqual(PT_REGS);
        const words = Object.keys(TSS_WORDS).map((name) => [
          name,
          types.member('tss_struct', `x86_tss.${name}`)?.offset,
        ]);
        expect(Object.fromEntries(words)).toEqual(TSS_WORDS);
      });

      test('its entry code, its NMI and its thunks are where its symbols say', () => {
        const code = readKernelCode(image);
        expect(code.kindAt(code.systemCall)).toBe('entry');
        expect(code.kindAt(code.iret)).toBe('entry');
        expect(code.kindAt(code.nmi.body)).toBe('noinstr');
        expect(code.kindAt(code.switchTo)).toBe('other');
        expect(code.kindAt(symbols.address('__x86_indirect_thunk_r15'))).toBe('thunk');
        expect(code.thunks.length).toBeGreaterThan(20);
        expect(image.bytesAt(code.iret, 2)).toEqual(Buffer.from([0x48, 0xcf]));
        expect(code.fixups.size).toBeGreaterThan(400);
        const places = [...code.fixups].flat().map((va) => symbols.symbolAt(va));
        expect(places).not.toContain(undefined);
      });

      test('entry and scheduler text has no instruction that is not executed, others have optional ones', () => {
        const regions = instructionCoverage(image, executes, (region) => region !== 'all of .text');
        const missing = new Map(regions.map((region) => [region.name, region.missing.map(({ text }) => text)]));
        expect(missing.get('entry text')).toEqual([]);
        expect(missing.get('scheduler text')).toEqual([]);
        const others = [...(missing.get('noinstr text') ?? []), ...(missing.get('switch functions') ?? [])];
        expect(others.filter((text) => !OPTIONAL.has(text.split(' ', 1)[0]))).toEqual([]);
      });
    });
  }
}
