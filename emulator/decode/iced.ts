/**
 * Loads iced-x86 so that its memory never grows (fixed-memory.ts). Imported for that, before whatever imports iced-x86
 * itself; where somebody has loaded it before, all there is to lose is speed.
 */
import { withFixedMemory } from './fixed-memory';

/** 64 MiB, of which the system gives what is used. */
const PAGES = 1024;

/** What is used of WebAssembly; its types come with those of browsers. */
type ModuleClass = new (bytes: Uint8Array) => object;
const { WebAssembly: webAssembly } = globalThis as unknown as { WebAssembly: { Module: ModuleClass } };

const { Module } = webAssembly;
webAssembly.Module = class extends Module {
  constructor(bytes: Uint8Array) {
    super(withFixedMemory(bytes, PAGES));
  }
};
try {
  // biome-ignore lint/style/noCommonJs: iced-x86 makes its instance while it is loaded
  require('iced-x86');
} finally {
  webAssembly.Module = Module;
}
