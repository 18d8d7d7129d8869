/**
 * Privileged transitions, one template each: an instruction, and the values that it needs, drawn at random so that the
 * cases of its pseudo-code in the manual are all met.
 *
 * Left out, because QEMU 7.2 does not survive them: reserved bits of CR3 and CR4. Left out, because QEMU has no PCID:
 * CR4.PCIDE.
 */
import type { SceneDraft } from './scene-draft';
import {
  HANDLERS,
  KERNEL,
  KERNEL_CS,
  KERNEL_DATA,
  KERNEL_SS,
  KERNEL_STACK,
  leafOf,
  ODD_SELECTORS,
  PML4,
  plainGate,
  putGate,
  SECOND_PML4,
  USER,
  USER_CS,
  USER_DATA,
  USER_SS,
  USER_STACK,
} from './scene-layout';

export interface Template {
  readonly name: string;
  /** Where it makes sense; elsewhere it is drawn less often. */
  readonly cpl: 0 | 3 | 'any';
  write(draft: SceneDraft): void;
}

const NON_CANONICAL = 0x9000_0000_0000_0000n;
const MSRS = [0xc0000080, 0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102];
const MSR_EFER = 0xc0000080,
  MSR_STAR = 0xc0000081,
  MSR_FMASK = 0xc0000084;
const NO_FLUSH = 1n << 63n;
const PCIDE = 0x20000n;
const NOP = 0x90;

function template(name: string, cpl: Template['cpl'], write: (draft: SceneDraft) => void): Template {
  return { name, cpl, write };
}

/** Bytes alone. */
function plain(name: string, cpl: Template['cpl'], ...bytes: number[]): Template {
  return template(name, cpl, (d) => d.code(...bytes));
}

function canonical(d: SceneDraft): bigint {
  return d.once(6) ? NON_CANONICAL : d.pick([KERNEL_DATA, USER_DATA, 0n, 0x7fff_ffff_f000n]);
}

/** The five words of an IRETQ frame, most of which are good. */
function iretFrame(d: SceneDraft, rip: bigint): bigint[] {
  const user = d.cpl === 3 || d.once(2);
  const cs = d.once(6) ? d.pick(ODD_SELECTORS) : user ? USER_CS : KERNEL_CS;
  const ss = d.once(6) ? d.pick(ODD_SELECTORS) : user ? USER_SS : KERNEL_SS;
  const rsp = d.once(8) ? d.value() : user ? USER_STACK : KERNEL_STACK;
  const target = d.once(8) ? NON_CANONICAL : user && d.cpl === 0 ? USER + 0x800n : rip;
  return [target, BigInt(cs), d.flags(), rsp, BigInt(ss)];
}

function mode(d: SceneDraft): void {
  const good = d.pick([0x80010033n, 0x80000033n, 0x8001003bn, 0x80050033n]);
  // PE=0 with PG=1 (#GP), NW=1 with CD=0 (#GP), CD.
  const value = d.once(4) ? d.pick([0x80010032n, 0xa0010033n, 0xc0010033n]) : good;
  d.set('rax', value);
  d.code(0x0f, 0x22, 0xc0);
}

function writeCr4(d: SceneDraft): void {
  // SMAP, SMEP, FSGSBASE, PGE, DE in any combination; PAE=0 is #GP.
  const bits = [0x200000n, 0x100000n, 0x10000n, 0x80n, 8n].filter(() => d.once(2)).reduce((a, b) => a | b, 0n);
  d.set('rax', d.once(8) ? bits : bits | 0x20n);
  d.code(0x0f, 0x22, 0xe0);
}

function writeCr3(d: SceneDraft): void {
  const root = BigInt(d.pick([PML4, PML4, SECOND_PML4]));
  d.set('rax', root | (d.once(4) ? NO_FLUSH : 0n) | (d.once(4) ? 0x18n : 0n));
  d.code(0x0f, 0x22, 0xd8);
}

function writeMsr(d: SceneDraft): void {
  const msr = d.pick(MSRS);
  let value = canonical(d);
  if (msr === MSR_EFER) value = d.pick([0xd01n, 0xd00n, 0x501n, 0xd01n, 0xc01n, 0xf01n]);
  if (msr === MSR_STAR) value = BigInt(d.pick([0x00230010, 0x00230010, 0x0023002b, 0x00200008])) << 32n;
  if (msr === MSR_FMASK) value = d.once(8) ? d.bits64() : d.flags();
  d.set('rcx', BigInt(msr));
  d.set('rax', value & 0xffffffffn);
  d.set('rdx', value >> 32n);
  d.code(0x0f, 0x30);
}

/** `(%rbx)` as a table register's operand; the limit leaves CS and SS in the table. */
function loadTable(d: SceneDraft, extension: number, base: bigint, limits: readonly number[]): void {
  const limit = BigInt(d.pick(limits));
  const at = d.once(8) ? NON_CANONICAL : base;
  d.set('rbx', d.cell([limit | ((at & 0xffff_ffff_ffffn) << 16n), at >> 48n]));
  d.code(0x0f, 0x01, extension);
}

/**
 * For a data segment. Those of DPL 0 are left out, and NULL with an RPL: the emulator does not null them where an IRET
 * leaves CPL 0 (../../system/iret).
 */
function dataSelector(d: SceneDraft): bigint {
  return BigInt(d.once(2) ? d.pick(ODD_SELECTORS.filter((odd) => odd === 0 || odd > 0x40)) : d.pick([USER_SS, 0]));
}

function stackSelector(d: SceneDraft): bigint {
  const good = d.cpl === 0 ? [KERNEL_SS, 0] : [USER_SS];
  return BigInt(d.once(2) ? d.pick(ODD_SELECTORS) : d.pick(good));
}

function memoryOperand(d: SceneDraft, ...bytes: number[]): void {
  d.set('rbx', d.once(4) ? d.pick([KERNEL_DATA, USER_DATA, 0x3ff000n, USER + 0x20n, KERNEL + 0x40ff8n]) : d.address());
  d.code(...bytes);
}

function popSelector(d: SceneDraft, ...bytes: number[]): void {
  d.frame([dataSelector(d)]);
  d.code(...bytes);
  d.usualStack();
}

/** The gate of a vector leads to an IST stack, or to none, whatever it was. */
function anyStack(d: SceneDraft, vector: number): void {
  if (!d.sequence) putGate(d.memory, vector, { ...plainGate(vector), ist: d.below(3) });
}

function event(d: SceneDraft, vector: number, raise: 'nmi' | number): void {
  anyStack(d, vector);
  if (!d.sequence) d.events.push({ step: 0, raise });
  d.code(NOP);
}

/** CR4.PCIDE=1, and a PCID in CR3. */
function withPcid(d: SceneDraft): void {
  d.registers.set('cr4', (d.registers.get('cr4') as bigint) | PCIDE);
  d.registers.set('cr3', BigInt(PML4 | d.below(4)));
}

/**
 * Reads a page, makes its entry not present, writes CR3 or executes INVPCID, reads it again: a page fault, because each
 * of these has to forget the translation.
 */
function forget(d: SceneDraft, ...command: number[]): void {
  const page = d.once(2) ? KERNEL_DATA + 0x1000n : USER_DATA + 0x1000n;
  const entry = KERNEL + BigInt(leafOf(page));
  d.registers.set('cr4', (d.registers.get('cr4') as bigint) & ~0x200000n);
  const values = { rbx: page, rcx: entry, rax: 0n, rdx: d.registers.get('cr3') as bigint };
  for (const [name, value] of Object.entries(values)) d.registers.set(name, value);
  d.registers.set('rsi', BigInt(d.pick([1, 2, 3])));
  d.registers.set('rdi', d.cell([(d.registers.get('cr3') as bigint) & 0xfffn, page]));
  // mov (%rbx),%r8; mov %rax,(%rcx); the command; mov (%rbx),%r8
  d.code(0x4c, 0x8b, 0x03, 0x48, 0x89, 0x01, ...command, 0x4c, 0x8b, 0x03);
  d.wantsSteps = 4;
}

/** What QEMU 7.2 does not have: its results are those of the manual as the emulator reads it. */
export const PCID_TEMPLATES: readonly Template[] = [
  template('mov cr3 with pcid', 0, (d) => {
    withPcid(d);
    const root = BigInt(d.pick([PML4, SECOND_PML4]));
    d.set('rax', root | BigInt(d.below(8)) | (d.once(2) ? NO_FLUSH : 0n) | (d.once(6) ? 1n << 62n : 0n));
    d.code(0x0f, 0x22, 0xd8);
  }),
  template('mov cr4 with pcid', 0, (d) => {
    const before = d.below(4);
    if (before < 2) withPcid(d);
    // With low bits in CR3 PCIDE cannot be turned on.
    if (before === 2) d.registers.set('cr3', BigInt(PML4 | 8));
    const old = (d.registers.get('cr4') as bigint) & ~PCIDE;
    d.set('rax', d.once(3) ? old : old | PCIDE);
    d.code(0x0f, 0x22, 0xe0);
  }),
  template('invpcid', 'any', (d) => {
    if (!d.once(3)) withPcid(d);
    const pcid = d.once(4) ? d.bits64() : BigInt(d.below(4));
    d.set('rbx', d.once(8) ? NON_CANONICAL : d.cell([pcid, d.once(4) ? NON_CANONICAL : KERNEL_DATA]));
    d.set('rax', d.once(4) ? d.value() : BigInt(d.below(4)));
    d.code(0x66, 0x0f, 0x38, 0x82, 0x03);
  }),
  template('mov cr3 forgets', 0, (d) => {
    withPcid(d);
    forget(d, 0x0f, 0x22, 0xda);
  }),
  template('invpcid forgets', 0, (d) => {
    withPcid(d);
    forget(d, 0x66, 0x0f, 0x38, 0x82, 0x37);
  }),
];

export const TEMPLATES: readonly Template[] = [
  template('nmi', 'any', (d) => event(d, 2, 'nmi')),
  template('interrupt', 'any', (d) => {
    d.registers.set('eflags', (d.registers.get('eflags') as bigint) | (d.once(4) ? 0n : 0x200n));
    event(d, 0x20, 0x20);
  }),
  template('page fault', 'any', (d) => {
    anyStack(d, 14);
    d.set('rbx', d.cpl === 0 ? USER_DATA : KERNEL_DATA);
    d.code(0x48, d.pick([0x8b, 0x89]), 0x13);
  }),
  template('general protection', 'any', (d) => {
    anyStack(d, 13);
    d.set('rbx', NON_CANONICAL);
    d.code(0x48, d.pick([0x8b, 0x89]), 0x13);
  }),
  plain('syscall', 'any', 0x0f, 0x05),
  template('sysretq', 0, (d) => {
    d.set('rcx', d.once(6) ? NON_CANONICAL : USER + 0x800n);
    d.set('r11', d.flags());
    d.code(0x48, 0x0f, 0x07);
  }),
  template('iretq', 'any', (d) => {
    d.frame(iretFrame(d, d.next + (d.sequence ? 12n : 2n)));
    d.code(0x48, 0xcf);
    d.usualStack();
  }),
  template('lretq', 'any', (d) => {
    const cs = d.once(4) ? d.pick(ODD_SELECTORS) : d.cpl === 0 ? KERNEL_CS : USER_CS;
    d.frame([d.once(8) ? NON_CANONICAL : d.next + (d.sequence ? 12n : 2n), BigInt(cs)]);
    d.code(0x48, 0xcb);
    d.usualStack();
  }),
  template('int n', 'any', (d) => d.code(0xcd, d.below(256))),
  plain('int3', 'any', 0xcc),
  plain('ud2', 'any', 0x0f, 0x0b),
  plain('swapgs', 0, 0x0f, 0x01, 0xf8),
  template('mov cr0', 0, mode),
  template('mov cr2', 0, (d) => {
    d.set('rax', d.value());
    d.code(0x0f, 0x22, 0xd0);
  }),
  template('mov cr3', 0, writeCr3),
  template('mov cr4', 0, writeCr4),
  template('mov cr8', 0, (d) => {
    d.set('rax', d.once(4) ? d.value() : BigInt(d.below(16)));
    d.code(0x44, 0x0f, 0x22, 0xc0);
  }),
  template('mov from cr', 0, (d) => d.code(0x0f, 0x20, 0xc0 | (d.pick([0, 2, 3, 4]) << 3))),
  template('wrmsr', 0, writeMsr),
  template('rdmsr', 0, (d) => {
    d.set('rcx', BigInt(d.pick(MSRS)));
    d.code(0x0f, 0x32);
  }),
  template('lidt', 0, (d) => loadTable(d, 0x1b, KERNEL + 0x9000n, [0xfff, 0xfff, 0x1ff])),
  template('lgdt', 0, (d) => loadTable(d, 0x13, KERNEL + 0x8000n, [0x7f, 0x7f, 0x4f])),
  template('sidt', 'any', (d) => memoryOperand(d, 0x0f, 0x01, 0x0b)),
  template('sgdt', 'any', (d) => memoryOperand(d, 0x0f, 0x01, 0x03)),
  template('ltr', 0, (d) => {
    d.set('rax', BigInt(d.once(2) ? 0x40 : d.pick(ODD_SELECTORS)));
    d.code(0x0f, 0x00, 0xd8);
  }),
  template('str', 'any', (d) => d.code(0x0f, 0x00, 0xc8)),
  template('pop fs', 'any', (d) => popSelector(d, 0x0f, 0xa1)),
  template('pop gs', 'any', (d) => popSelector(d, 0x0f, 0xa9)),
  template('mov ds', 'any', (d) => {
    d.set('rax', dataSelector(d));
    d.code(0x8e, d.pick([0xd8, 0xc0, 0xe0, 0xe8]));
  }),
  template('mov ss', 'any', (d) => {
    d.set('rax', stackSelector(d));
    d.code(0x8e, 0xd0);
  }),
  template('mov from segment', 'any', (d) => d.code(0x8c, 0xc0 | (d.below(6) << 3))),
  template('popfq', 'any', (d) => {
    d.frame([d.flags()]);
    d.code(0x9d);
    d.usualStack();
  }),
  plain('pushfq', 'any', 0x9c),
  plain('cli', 'any', 0xfa),
  plain('sti', 'any', 0xfb),
  plain('clac', 0, 0x0f, 0x01, 0xca),
  plain('stac', 0, 0x0f, 0x01, 0xcb),
  plain('clts', 0, 0x0f, 0x06),
  template('rdfsbase', 'any', (d) => d.code(0xf3, 0x48, 0x0f, 0xae, d.pick([0xc0, 0xc8]))),
  template('wrfsbase', 'any', (d) => {
    d.set('rax', canonical(d));
    d.code(0xf3, 0x48, 0x0f, 0xae, d.pick([0xd0, 0xd8]));
  }),
  template('invlpg', 0, (d) => memoryOperand(d, 0x0f, 0x01, 0x3b)),
  template('load', 'any', (d) => memoryOperand(d, 0x48, 0x8b, 0x13)),
  template('store', 'any', (d) => memoryOperand(d, 0x48, 0x89, 0x13)),
  template('add to memory', 'any', (d) => memoryOperand(d, 0x48, 0x01, 0x13)),
  template('store through gs', 'any', (d) => {
    d.set('rbx', BigInt(d.below(0x1000)));
    d.code(0x65, 0x48, 0x89, 0x13);
  }),
  template('push', 'any', (d) => d.code(0x50 | d.pick([0, 1, 4, 7]))),
  template('jump', 'any', (d) => {
    const far = d.pick([KERNEL_DATA, USER + 0x800n, USER_DATA + 0xff0n, NON_CANONICAL, HANDLERS, KERNEL + 0x40000n]);
    d.set('rbx', d.once(3) || !d.sequence ? far : d.next + 12n);
    d.code(0xff, 0xe3);
  }),
  template('call', 'any', (d) => d.code(0xe8, 0, 0, 0, 0)),
  template('rep movsq', 'any', (d) => {
    d.set('rcx', BigInt(d.below(4)));
    d.set('rsi', d.address());
    d.set('rdi', d.address());
    d.code(0xf3, 0x48, 0xa5);
  }),
  plain('nop', 'any', 0x90),
];
