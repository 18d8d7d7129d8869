/**
 * A client of the gdb remote serial protocol (GDB manual, appendix E), as much of it as QEMU's gdbstub speaks:
 * registers, physical memory, single steps, breakpoints, monitor commands. One command, or one batch of them, is under
 * way at a time, and each command has a time-out, because a CPU that halts inside a single step never answers.
 *
 *   $payload#cs   cs is the sum of the payload's bytes modulo 256 in two hex digits; `+` acknowledges a packet,
 *                 `-` asks for it again; in a payload `}` escapes the next byte, which is xored with 0x20
 *
 * Left out: run-length encoding (QEMU does not send it), the non-stop and the no-acknowledgement mode.
 */
import { connect, type Socket } from 'node:net';

const DEFAULT_TIMEOUT = 10_000;
const HASH = 0x23,
  DOLLAR = 0x24,
  PLUS = 0x2b,
  MINUS = 0x2d,
  ESCAPE = 0x7d;
/** Not a packet: the byte that stops a running CPU. */
const INTERRUPT = Buffer.of(3);

/** The other side broke the protocol, refused a command, or did not answer. One sentence. */
export class GdbError extends Error {
  override readonly name = 'GdbError';
}

interface Pending {
  readonly payload: string;
  readonly resolve: (reply: string) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

export class GdbRemote {
  private readonly socket: Socket;
  private readonly timeout: number;
  /** What has been sent and not answered yet, in order. */
  private pending: Pending[] = [];
  private received: Buffer = Buffer.alloc(0);
  private closed: GdbError | undefined;
  /** The acknowledgement of the last answer: it travels with the next command, which halves the writes. */
  private acknowledgement = '';
  /** What `O` packets said while a monitor command ran. */
  private console = '';

  /** `timeout` is in milliseconds, for each command. */
  constructor(socket: Socket, timeout = DEFAULT_TIMEOUT) {
    this.socket = socket;
    this.timeout = timeout;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => this.accept(bytes));
    socket.on('error', (error) => this.close(new GdbError(`the connection to the gdbstub failed: ${error.message}`)));
    socket.on('close', () => this.close(new GdbError('the gdbstub closed the connection: QEMU has ended')));
  }

  /** Connects to the gdbstub at a Unix socket. */
  static connect(path: string, timeout = DEFAULT_TIMEOUT): Promise<GdbRemote> {
    return new Promise((resolve, reject) => {
      const socket = connect(path);
      const refused = (error: Error) => reject(new GdbError(`no gdbstub at ${path}: ${error.message}`));
      socket.once('error', refused);
      socket.once('connect', () => {
        socket.off('error', refused);
        resolve(new GdbRemote(socket, timeout));
      });
    });
  }

  /** Ends the connection; a command under way fails. */
  end(): void {
    this.socket.destroy();
  }

  /** Sends one packet and answers with the payload of the reply. Rejects with a GdbError on a time-out. */
  async send(payload: string): Promise<string> {
    return (await this.sendAll([payload]))[0];
  }

  /**
   * Sends packets in one write and answers with the payloads of all replies. A command that resumes the CPU must be the
   * last one: whatever comes while it runs stops it. An answer `Enn` is an answer; the caller judges it.
   * After `patience` milliseconds without all answers the CPU is stopped where it is.
   */
  sendAll(payloads: readonly string[], patience?: number): Promise<string[]> {
    if (this.closed !== undefined) return Promise.reject(this.closed);
    const [waiting] = this.pending;
    if (waiting !== undefined)
      return Promise.reject(new GdbError(`"${payloads[0]}" was sent before the answer to "${waiting.payload}" came`));
    const replies = payloads.map(
      (payload) =>
        new Promise<string>((resolve, reject) => {
          const timer = setTimeout(() => this.timedOut(payload), this.timeout);
          this.pending.push({ payload, resolve, reject, timer });
        }),
    );
    this.socket.write(this.acknowledgement + payloads.map(packet).join(''), 'latin1');
    this.acknowledgement = '';
    const all = Promise.all(replies);
    if (patience === undefined) return all;
    const timer = setTimeout(() => this.socket.write(INTERRUPT), patience);
    return all.finally(() => clearTimeout(timer));
  }

  /** Sends a command whose only good answer is OK. */
  async order(payload: string): Promise<void> {
    const reply = await this.send(payload);
    if (reply !== 'OK') throw refusal(payload, reply);
  }

  /** The whole of a document such as `features`, `target.xml`. */
  async document(object: string, annex: string): Promise<string> {
    const chunk = 0xffb;
    let text = '';
    for (;;) {
      const command = `qXfer:${object}:read:${annex}:${text.length.toString(16)},${chunk.toString(16)}`;
      const reply = await this.send(command);
      if (reply[0] !== 'l' && reply[0] !== 'm') throw refusal(command, reply);
      text += reply.slice(1);
      if (reply[0] === 'l') return text;
    }
  }

  /** All registers of a thread, or of the one that stopped last, as the target description orders them. */
  async readRegisters(thread?: number): Promise<Buffer> {
    const selection = thread === undefined ? [] : [`Hg${thread.toString(16)}`];
    const replies = await this.sendAll([...selection, 'g']);
    const reply = replies[replies.length - 1];
    if (isError(reply)) throw refusal('g', reply);
    return Buffer.from(reply, 'hex');
  }

  /** `index` counts the registers of the target description; `bytes` are little-endian, as many as the register has. */
  writeRegister(index: number, bytes: Uint8Array): Promise<void> {
    return this.order(`P${index.toString(16)}=${Buffer.from(bytes).toString('hex')}`);
  }

  async readMemory(address: bigint, length: number): Promise<Buffer> {
    const command = `m${address.toString(16)},${length.toString(16)}`;
    const reply = await this.send(command);
    if (isError(reply)) throw refusal(command, reply);
    return Buffer.from(reply, 'hex');
  }

  writeMemory(address: bigint, bytes: Uint8Array): Promise<void> {
    return this.order(`M${address.toString(16)},${bytes.length.toString(16)}:${Buffer.from(bytes).toString('hex')}`);
  }

  /** One instruction or one delivery of the thread (QEMU: CPU number plus one). Answers with the stop reply. */
  step(thread = 1): Promise<string> {
    return this.resume(`vCont;s:${thread.toString(16)}`);
  }

  /** Until a breakpoint. */
  continue(): Promise<string> {
    return this.resume('vCont;c');
  }

  insertBreakpoint(address: bigint): Promise<void> {
    return this.order(`Z0,${address.toString(16)},1`);
  }

  removeBreakpoint(address: bigint): Promise<void> {
    return this.order(`z0,${address.toString(16)},1`);
  }

  /** A command of QEMU's human monitor; answers with what it printed. */
  async monitor(command: string): Promise<string> {
    this.console = '';
    await this.order(`qRcmd,${Buffer.from(command).toString('hex')}`);
    return this.console;
  }

  private async resume(command: string): Promise<string> {
    const reply = await this.send(command);
    if (reply[0] !== 'T' && reply[0] !== 'S') throw refusal(command, reply);
    return reply;
  }

  private accept(bytes: Buffer): void {
    this.received = this.received.length === 0 ? bytes : Buffer.concat([this.received, bytes]);
    for (;;) {
      this.skipAcknowledgements();
      const end = this.received.indexOf(HASH);
      if (end < 0 || this.received.length < end + 3) return;
      const raw = this.received.subarray(1, end);
      const sum = Number.parseInt(this.received.toString('latin1', end + 1, end + 3), 16);
      this.received = this.received.subarray(end + 3);
      if (checksum(raw) !== sum) this.socket.write('-');
      else this.reply(unescaped(raw));
    }
  }

  /** Drops what precedes a packet; repeats the command if that was asked for. */
  private skipAcknowledgements(): void {
    let i = 0;
    for (; i < this.received.length && this.received[i] !== DOLLAR; i++) {
      const byte = this.received[i];
      if (byte === MINUS) this.repeat();
      else if (byte !== PLUS)
        this.close(new GdbError(`expected a gdb packet, found byte 0x${byte.toString(16)}: is this a gdbstub?`));
    }
    this.received = this.received.subarray(i);
  }

  /** The other side has not understood a packet. Of several it does not say which. */
  private repeat(): void {
    if (this.pending.length === 1) this.socket.write(packet(this.pending[0].payload), 'latin1');
    else if (this.pending.length > 1) this.close(new GdbError('the gdbstub refused a packet of a batch'));
  }

  private reply(payload: string): void {
    this.acknowledgement = '+';
    const [pending] = this.pending;
    if (pending === undefined) return;
    // Output of a monitor command; the reply proper follows.
    if (payload[0] === 'O' && payload !== 'OK') {
      this.console += Buffer.from(payload.slice(1), 'hex').toString();
      return;
    }
    this.pending.shift();
    clearTimeout(pending.timer);
    pending.resolve(payload);
  }

  private timedOut(payload: string): void {
    this.close(new GdbError(`the gdbstub did not answer to "${payload}" within ${this.timeout / 1000} s`));
  }

  private close(error: GdbError): void {
    this.closed ??= error;
    const pending = this.pending;
    this.pending = [];
    this.socket.destroy();
    for (const { timer, reject } of pending) {
      clearTimeout(timer);
      reject(error);
    }
  }
}

function packet(payload: string): string {
  return `$${payload}#${checksum(Buffer.from(payload, 'latin1')).toString(16).padStart(2, '0')}`;
}

function checksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += bytes[i];
  return sum & 0xff;
}

function unescaped(raw: Buffer): string {
  if (raw.indexOf(ESCAPE) < 0) return raw.toString('latin1');
  const bytes: number[] = [];
  for (let i = 0; i < raw.length; i++) bytes.push(raw[i] === ESCAPE ? raw[++i] ^ 0x20 : raw[i]);
  return Buffer.from(bytes).toString('latin1');
}

/** Enn with two digits: three characters, which no hex string of whole bytes has. */
function isError(reply: string): boolean {
  return reply === '' || (reply.length === 3 && reply[0] === 'E');
}

function refusal(command: string, reply: string): GdbError {
  const found = reply === '' ? 'nothing, which means that it does not know it,' : `"${reply}"`;
  return new GdbError(`the gdbstub answered ${found} to "${command}"`);
}
