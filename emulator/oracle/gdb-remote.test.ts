import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { GdbRemote } from './gdb-remote';

/** A gdbstub that answers as it is told and remembers what it was asked. */
class Stub {
  readonly asked: string[] = [];
  readonly path: string;
  private readonly folder = mkdtempSync(join(tmpdir(), 'gdb-remote-test-'));
  private readonly server: Server;
  private readonly sockets: Socket[] = [];

  constructor(answer: (command: string, socket: Socket) => string) {
    this.path = join(this.folder, 'gdb');
    this.server = createServer((socket) => {
      this.sockets.push(socket);
      socket.on('data', (bytes) => {
        // `-`, which asks for the last answer again, counts as a command.
        for (const [, command] of bytes.toString('latin1').matchAll(/(-|(?<=\$)[^#]*(?=#))/g)) {
          this.asked.push(command);
          socket.write(answer(command, socket), 'latin1');
        }
      });
    });
  }

  async connect(timeout?: number): Promise<GdbRemote> {
    await new Promise<void>((resolve) => this.server.listen(this.path, resolve));
    return GdbRemote.connect(this.path, timeout);
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function framed(payload: string): string {
  const sum = [...payload].reduce((total, c) => total + c.charCodeAt(0), 0) & 0xff;
  return `+$${payload}#${sum.toString(16).padStart(2, '0')}`;
}

async function withStub<T>(
  answer: (command: string, socket: Socket) => string,
  body: (gdb: GdbRemote, stub: Stub) => Promise<T>,
  timeout?: number,
): Promise<T> {
  const stub = new Stub(answer);
  const gdb = await stub.connect(timeout);
  try {
    return await body(gdb, stub);
  } finally {
    gdb.end();
    stub.close();
  }
}

test('commands are framed as the protocol has them, and answers decoded', async () => {
  const answers: Record<string, string> = {
    g: 'efbeadde',
    'P10=00ff': 'OK',
    'm1000,2': 'beef',
    'Mfee00000,2:0104': 'OK',
    'vCont;s:1': 'T05thread:01;',
    'vCont;c': 'S05',
    'Zffff,1': 'OK',
    'Z0,ffffffff81000000,1': 'OK',
    'z0,ffffffff81000000,1': 'OK',
  };
  await withStub(
    (command) => framed(answers[command] ?? ''),
    async (gdb, stub) => {
      expect((await gdb.readRegisters()).readUInt32LE(0)).toBe(0xdeadbeef);
      await gdb.writeRegister(16, Uint8Array.of(0, 0xff));
      expect(await gdb.readMemory(0x1000n, 2)).toEqual(Buffer.from('beef', 'hex'));
      await gdb.writeMemory(0xfee00000n, Uint8Array.of(1, 4));
      expect(await gdb.step()).toBe('T05thread:01;');
      await gdb.insertBreakpoint(0xffffffff81000000n);
      expect(await gdb.continue()).toBe('S05');
      await gdb.removeBreakpoint(0xffffffff81000000n);
      expect(stub.asked).toHaveLength(8);
    },
  );
});

test('a damaged answer is asked for again, a refused command is sent again', async () => {
  const answers = ['-', '+$OK#00', framed('OK').slice(1)];
  await withStub(
    () => answers.shift() ?? '',
    async (gdb, stub) => {
      await gdb.order('Qqemu.sstep=1');
      expect(stub.asked).toEqual(['Qqemu.sstep=1', 'Qqemu.sstep=1', '-']);
    },
  );
});

test('a batch is one write, and its answers come in its order, errors among them', async () => {
  const answers = new Map([
    ['z0,10,1', 'OK'],
    ['M0,1:ff', 'E01'],
    ['vCont;c', 'T05'],
  ]);
  await withStub(
    (command) => framed(answers.get(command) ?? 'OK'),
    async (gdb, stub) => {
      expect(await gdb.sendAll(['z0,10,1', 'M0,1:ff', 'vCont;c'])).toEqual(['OK', 'E01', 'T05']);
      expect(stub.asked).toEqual(['z0,10,1', 'M0,1:ff', 'vCont;c']);
      await gdb.order('Qqemu.sstep=1');
    },
  );
  // Of two packets it does not say which one it wants again.
  await withStub(
    () => '-',
    async (gdb) => {
      await expect(gdb.sendAll(['z0,10,1', 'vCont;c'])).rejects.toThrow('refused a packet of a batch');
      await expect(gdb.send('g')).rejects.toThrow('refused a packet of a batch');
    },
  );
});

test('an escaped byte is put back', async () => {
  // `}` and 0x03 is `#`.
  await withStub(
    () => framed('T05:}\x03;'),
    async (gdb) => expect(await gdb.step()).toBe('T05:#;'),
  );
});

test('what a monitor command prints comes before its OK', async () => {
  const hex = (text: string) => Buffer.from(text).toString('hex');
  await withStub(
    (command) => {
      expect(command).toBe(`qRcmd,${hex('info registers')}`);
      return `${framed(`O${hex('RAX=0\n')}`)}${framed(`O${hex('RBX=1\n')}`).slice(1)}${framed('OK').slice(1)}`;
    },
    async (gdb) => expect(await gdb.monitor('info registers')).toBe('RAX=0\nRBX=1\n'),
  );
});

test('a document longer than one packet is put together', async () => {
  const text = 'x'.repeat(0xffb) + 'y'.repeat(10);
  await withStub(
    (command) => {
      const [, offset, length] = /:([0-9a-f]+),([0-9a-f]+)$/.exec(command) as RegExpExecArray;
      const at = Number.parseInt(offset, 16);
      const part = text.slice(at, at + Number.parseInt(length, 16));
      return framed(`${at + part.length < text.length ? 'm' : 'l'}${part}`);
    },
    async (gdb) => expect(await gdb.document('features', 'target.xml')).toBe(text),
  );
});

test('an error, an unknown command, silence and a lost connection are sentences', async () => {
  await withStub(
    (command, socket) => {
      if (command === 'vCont;s:1') return '+';
      if (command === 'vCont;c') socket.destroy();
      return framed(command === 'g' ? 'E22' : '');
    },
    async (gdb) => {
      await expect(gdb.readRegisters()).rejects.toThrow('the gdbstub answered "E22" to "g"');
      await expect(gdb.order('Qx')).rejects.toThrow('answered nothing, which means that it does not know it, to "Qx"');
      await expect(gdb.step()).rejects.toThrow('the gdbstub did not answer to "vCont;s:1" within 0.2 s');
      await expect(gdb.readRegisters()).rejects.toThrow('did not answer');
    },
    200,
  );
  await withStub(
    (_command, socket) => {
      socket.destroy();
      return '';
    },
    async (gdb) => expect(gdb.continue()).rejects.toThrow(/gdbstub/),
  );
  await expect(GdbRemote.connect('/nonexistent/gdb')).rejects.toThrow('no gdbstub at /nonexistent/gdb');
});
