/**
 * What answers outside RAM: the local APIC, the ports of the platform, and, where the platform has choices, the choice
 * page and the choice ports. Any other memory reads as ones and ignores writes. A choice of N alternatives is a byte
 * read at offset N of the choice page, or `in $0xC0+N,%al`: the only nondeterminism a guest sees.
 */
import type { Cpu, Outside } from '../cpu/cpu';
import type { Platform } from '../platform';
import { APIC_BASE, readApic, writeApic } from './local-apic';

const CHOICE_PAGE = 0xfed00000;
const CHOICE_PORT = 0xc0;
const MIN_ALTERNATIVES = 2;
const MAX_PORT_ALTERNATIVES = 15;
const MAX_PAGE_ALTERNATIVES = 255;
const PAGE = 0xfffff000;

/** Who decides; the machine, which its harness tells how. */
interface Decider {
  choose: (cpu: Cpu, alternatives: number) => number;
}

export class Bus implements Outside {
  private readonly chooser: Decider;
  private readonly platform: Platform;
  private readonly cpus: readonly Cpu[];

  constructor(chooser: Decider, platform: Platform, cpus: readonly Cpu[]) {
    this.chooser = chooser;
    this.platform = platform;
    this.cpus = cpus;
  }

  read(cpu: Cpu, address: number, size: number): number {
    const page = (address & PAGE) >>> 0;
    if (page === APIC_BASE) return readApic(cpu, address & 0xfff, size) | 0;
    const offset = address & 0xfff;
    if (
      page === CHOICE_PAGE &&
      this.platform.choices &&
      size === 1 &&
      offset >= MIN_ALTERNATIVES &&
      offset <= MAX_PAGE_ALTERNATIVES
    )
      return this.chooser.choose(cpu, offset) & 0xff;
    return size >= 4 ? -1 : size === 2 ? 0xffff : 0xff;
  }

  write(cpu: Cpu, address: number, size: number, value: number): void {
    if ((address & PAGE) >>> 0 === APIC_BASE) writeApic(cpu, this.cpus, address & 0xfff, size, value);
  }

  readPort(cpu: Cpu, port: number, size: number): number | undefined {
    const alternatives = port - CHOICE_PORT;
    const choice = alternatives >= MIN_ALTERNATIVES && alternatives <= MAX_PORT_ALTERNATIVES;
    if (!choice || !this.platform.choices) return this.platform.readPort(cpu, port, size);
    return this.chooser.choose(cpu, alternatives) & 0xff;
  }

  writePort(cpu: Cpu, port: number, size: number, value: number): boolean {
    return this.platform.writePort(cpu, port, size, value);
  }
}
