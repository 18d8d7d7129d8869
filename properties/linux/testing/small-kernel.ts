/**
 * A kernel of a few instructions with a program in it, both at privilege level 0 and all of it entry code: it announces
 * its two excursions in turn, has handlers of #DB, NMI, #MC and timer, and allows interrupts in the first excursion.
 */
import { type LinuxMachine, linuxMachine } from '../../../emulator/linux/boot/linux-machine';
import { readCpuFeatures } from '../../../emulator/linux/platform/cpu-features';
import type { SweptCodeSource } from '../swept-code';

const PHYSICAL = 0x400000;
const IDT = 0x401000;
/** Where the kernel maps itself: the last entry of the root. */
const VIRTUAL = -(2 ** 39);
const TIMER = 0xec;
const DEBUG = 1,
  NMI = 2,
  MACHINE_CHECK = 18;
const CODE_SELECTOR = 0x10;

/** Bytes of the kernel by their offsets. */
const CODE: Readonly<Record<number, string>> = {
  // mov %cr4,%rax; or $0x40,%al; mov %rax,%cr4; mov $0x4d0,%ecx; mov $1,%eax; xor %edx,%edx; wrmsr
  // movl $0x2003,0x1ff8 (the root's last entry); lea high(%rip),%rax; movabs $VIRTUAL,%rbx; or %rbx,%rax; jmp *%rax
  0: '0f20e00c400f22e0b9d0040000b80100000031d20f30c70425f81f000003200000488d051800000048bb0000000080ffffff4809d8ffe0',
  // high: lgdt; lidt; mov $0x500000,%esp; or %rbx,%rsp; mov $0xfee00320,%eax; movl $0xec,(%rax); xor %eax,%eax
  // mov $0x5e0,%edx; out %eax,(%dx)
  64: '0f0115f10000000f011df4000000bc000050004809dcb82003e0fec700ec00000031c0bae0050000efeb15',
  // next: mov index,%ecx; mov round,%esi; lea 1(%rcx,%rsi),%eax; xor $1,%ecx; mov %ecx,index; mov $0x5e0,%edx
  // out %eax,(%dx); test %ecx,%ecx; jz second
  128: '8b0daa0000008b35a80000008d44310183f101890d97000000bae0050000ef85c9743deb1b',
  // machine check: push %rax; push %rcx; push %rdx; mov $0x17a,%ecx; xor %eax,%eax; xor %edx,%edx; wrmsr
  // pop %rdx; pop %rcx; pop %rax; iretq
  168: '505152b97a01000031c031d20f305a595848cf',
  // first: sti; nop; push %rcx; pop %rcx; cli; jmp next
  192: 'fb905159faebb9',
  // second: mov $3,%ecx; 1: dec %ecx; jnz 1b; jmp next
  224: 'b903000000ffc975fceb95',
  // nmi: push %rax; xor %eax,%eax; jmp body
  256: '5031c0eb1b',
  // debug: iretq
  264: '48cf',
  // irq: push %rax; mov $0xfee000b0,%eax; movl $0,(%rax); pop %rax; iretq
  272: '50b8b000e0fec700000000005848cf',
  // body: pop %rax; iretq
  288: '5848cf',
  // index, round: 0; limits and addresses of GDT and IDT; the GDT with a code segment
  312: '17005001400080ffffffff0f0010400080ffffff',
  352: 'ffff0000009baf00',
};
const INDEX = 304,
  ROUND = 308,
  NEXT = 128,
  FIRST = 192,
  NMI_HANDLER = 256,
  IRQ_HANDLER = 272,
  DEBUG_HANDLER = 264,
  MACHINE_CHECK_HANDLER = 168;
const END = 384;

export const NMI_BODY = VIRTUAL + PHYSICAL + 288;

const SYMBOLS = new Map([
  ['index', INDEX],
  ['round', ROUND],
  ['next', NEXT],
]);

/** What the kernel's program says of itself. */
export const SMALL_PROGRAM = {
  elf: {
    symbol: (name: string) => {
      const offset = SYMBOLS.get(name);
      return offset === undefined ? undefined : VIRTUAL + PHYSICAL + offset;
    },
  },
  excursions: ['first', 'second'],
};

/** All of it is entry code, but what announces an excursion and what handles events. */
export const SMALL_CODE: SweptCodeSource = {
  code: {
    entry: { start: VIRTUAL + PHYSICAL + FIRST, end: VIRTUAL + PHYSICAL + NMI_HANDLER },
    noinstr: { start: VIRTUAL, end: VIRTUAL },
  },
  symbols: { list: [] },
  preparation: { start: 0, end: 0 },
};

/** The machine in the moment in which the program is ready. `patches` are other bytes, by their offsets. */
export function smallKernel(patches: Readonly<Record<number, string>> = {}, cpus = 1): LinuxMachine {
  const data = new Uint8Array(END);
  for (const [offset, hex] of [...Object.entries(CODE), ...Object.entries(patches)])
    data.set(Buffer.from(hex, 'hex'), Number(offset));
  const linux = linuxMachine({
    image: {
      entry: PHYSICAL,
      segments: [
        { vaddr: PHYSICAL, paddr: PHYSICAL, memsz: END, data },
        { vaddr: IDT, paddr: IDT, memsz: 4096, data: gates() },
      ],
    },
    commandLine: '',
    features: readCpuFeatures(''),
    cpus,
    memoryMiB: 8,
    tscHz: 100e6,
    initrd: new Uint8Array(0),
  });
  linux.platform.announced = () => {
    linux.interleaving.stop = true;
  };
  linux.interleaving.run(1000);
  return linux;
}

function gates(): Uint8Array {
  const idt = Buffer.alloc(4096);
  for (const [vector, handler] of [
    [DEBUG, DEBUG_HANDLER],
    [NMI, NMI_HANDLER],
    [MACHINE_CHECK, MACHINE_CHECK_HANDLER],
    [TIMER, IRQ_HANDLER],
  ]) {
    const target = BigInt(VIRTUAL + PHYSICAL + handler);
    const gate =
      (0x8e00n << 32n) | (BigInt(CODE_SELECTOR) << 16n) | (target & 0xffffn) | ((target & 0xffff0000n) << 32n);
    idt.writeBigUInt64LE(gate, vector * 16);
    idt.writeBigUInt64LE(BigInt.asUintN(64, target) >> 32n, vector * 16 + 8);
  }
  return idt;
}
