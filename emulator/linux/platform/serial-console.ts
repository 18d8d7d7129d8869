/**
 * A 16550A at port 3F8h that sends at once and never asks for an interrupt: enough for the console of a kernel, which
 * finds it by its registers and waits for the transmitter. What is sent is kept as text. Its registers and the length
 * of the text are words of the platform, so a rollback takes back what was printed.
 *
 *   0 data, divisor low | 1 IER, divisor high | 2 IIR / FCR | 3 LCR: 7 divisor | 4 MCR: 4 loop | 5 LSR | 6 MSR | 7
 * scratch
 */
const CONSOLE_PORT = 0x3f8;
const PORTS = 8;
/** Words that the console needs: one for each register that is stored, and the length of the text. */
export const CONSOLE_WORDS = 16;

const DATA = 0,
  IER = 1,
  FCR = 2,
  LCR = 3,
  MCR = 4,
  LSR = 5,
  MSR = 6;
/** Words after those of the registers. */
const DIVISOR_LOW = 8,
  DIVISOR_HIGH = 9,
  LENGTH = 10;
const DIVISOR_ACCESS = 0x80;
const LOOP = 0x10;
/** LSR: nothing left to send. MSR: ready, carrier. IIR: no interrupt; FIFOs on. */
const ALL_SENT = 0x60,
  CONNECTED = 0xb0,
  NO_INTERRUPT = 1,
  FIFOS = 0xc0;

export class SerialConsole {
  private readonly words: Int32Array;
  private readonly from: number;
  private bytes = Buffer.alloc(1 << 14);

  /** `words` from `from` on are the console's. */
  constructor(words: Int32Array, from: number) {
    this.words = words;
    this.from = from;
  }

  /** Characters that were sent. */
  get length(): number {
    return this.get(LENGTH);
  }

  /** All that was sent. */
  get text(): string {
    return this.bytes.toString('latin1', 0, this.get(LENGTH));
  }

  /** What was sent before a state was saved; its length is in the words. */
  set text(text: string) {
    this.bytes = Buffer.from(text, 'latin1');
  }

  owns(port: number): boolean {
    return port >= CONSOLE_PORT && port < CONSOLE_PORT + PORTS;
  }

  read(port: number): number {
    const register = port - CONSOLE_PORT;
    const divisor = (this.get(LCR) & DIVISOR_ACCESS) !== 0;
    switch (register) {
      case DATA:
        return divisor ? this.get(DIVISOR_LOW) : 0;
      case IER:
        return this.get(divisor ? DIVISOR_HIGH : IER);
      case FCR:
        return NO_INTERRUPT | ((this.get(FCR) & 1) !== 0 ? FIFOS : 0);
      case LSR:
        return ALL_SENT;
      case MSR:
        return (this.get(MCR) & LOOP) !== 0 ? looped(this.get(MCR)) : CONNECTED;
      default:
        return this.get(register);
    }
  }

  write(port: number, value: number): void {
    const register = port - CONSOLE_PORT;
    const divisor = (this.get(LCR) & DIVISOR_ACCESS) !== 0;
    if (register === DATA) {
      if (divisor) this.set(DIVISOR_LOW, value);
      else if ((this.get(MCR) & LOOP) === 0) this.send(value);
    } else if (register === IER) this.set(divisor ? DIVISOR_HIGH : IER, divisor ? value : value & 0xf);
    else if (register === MCR) this.set(MCR, value & 0x1f);
    else if (register !== LSR && register !== MSR) this.set(register, value);
  }

  private send(byte: number): void {
    const length = this.get(LENGTH);
    if (length === this.bytes.length) this.bytes = Buffer.concat([this.bytes, Buffer.alloc(this.bytes.length + 1)]);
    this.bytes[length] = byte;
    this.set(LENGTH, length + 1);
  }

  private get(word: number): number {
    return this.words[this.from + word];
  }

  private set(word: number, value: number): void {
    this.words[this.from + word] = value;
  }
}

/** In a loop the outputs are the inputs: DTR is DSR, RTS is CTS, OUT1 is the ring indicator, OUT2 the carrier. */
function looped(mcr: number): number {
  return ((mcr & 1) << 5) | ((mcr & 2) << 3) | ((mcr & 0xc) << 4);
}
