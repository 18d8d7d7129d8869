/**
 * Reads a certificate (docs/certificate.md): the values that a CPU with its thread, and a sleeping thread, may have.
 */

/** What a value is: one of so many, or the name of something. */
type Domain = number | 'cpu' | 'task' | 'mm' | 'thread';

interface CertificateCell {
  readonly field: string;
  readonly domain: Domain;
}

export interface Certificate {
  readonly design: string;
  /** CPUs of a view. */
  readonly tracked: number;
  /** Of the system in whose names the values are written. */
  readonly names: { readonly cpus: number; readonly tasks: number; readonly mms: number };
  /** Contexts that a thread has open at most. */
  readonly contexts: number;
  /** The field of a CPU that names the thread that it runs. */
  readonly running: string | undefined;
  readonly cpuCells: readonly CertificateCell[];
  readonly threadCells: readonly CertificateCell[];
  readonly contextCells: readonly CertificateCell[];
  /** One for each CPU of the view. */
  readonly views: readonly (readonly CpuValues[])[];
  readonly tasks: readonly ThreadValues[];
  readonly idle: readonly ThreadValues[];
}

/** Values in the order of the cells. */
export interface CpuValues {
  readonly cpu: readonly number[];
  /** Of the thread that the CPU runs; none in a model without threads. */
  readonly thread: ThreadValues | undefined;
}

export interface ThreadValues {
  readonly plain: readonly number[];
  /** Those that are left out are 0 throughout. */
  readonly contexts: readonly (readonly number[])[];
}

/** The file is no certificate. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
}

const RADIX = 36;
const SORTS: readonly Domain[] = ['cpu', 'task', 'mm', 'thread'];

class CertificateReader {
  private readonly lines: readonly string[];
  private at = 0;

  constructor(text: string) {
    this.lines = text.split('\n');
  }

  read(): Certificate {
    this.words('pti-check certificate 1');
    const [design] = this.words('design *');
    const [tracked] = this.words('tracked *').map((word) => this.count(word, 2));
    const [cpus, tasks, mms] = this.words('names cpus * tasks * mms *').map((word) => this.count(word));
    const [contexts] = this.words('contexts *').map((word) => this.count(word));
    const running = this.isNext('running ') ? this.words('running *')[0] : undefined;
    const [cpuCells, threadCells, contextCells] = ['cpu', 'thread', 'context'].map((of) => this.cells(of));
    while (this.isNext('global ')) this.words('global *');
    const shape = { cpuCells, threadCells, contextCells };
    const names = { cpus, tasks, mms };
    const head = { design, tracked, names, contexts, running, ...shape };
    const domains = new Map([...cpuCells, ...threadCells, ...contextCells].map(({ field, domain }) => [field, domain]));
    if (running !== undefined && domains.get(running) !== 'thread') this.fail(`a field ${running} of threads`);
    const views = this.section('views', (line) => line.split(' | ').map((part) => this.cpuValues(part, head)));
    if (views.some((view) => view.length !== tracked)) this.fail(`views of ${tracked} CPUs`);
    const sleepers = ['tasks', 'idle'].map((title) =>
      this.section(title, (line) => this.thread(line.split(' '), head)),
    );
    this.words('end');
    if (this.lines.slice(this.at).join('') !== '') this.fail('nothing after the end');
    return { ...head, views, tasks: sleepers[0], idle: sleepers[1] };
  }

  private fail(expected: string): never {
    const found = this.lines[this.at];
    throw new CertificateError(
      `expected ${expected} in line ${this.at + 1} of the certificate, found ${found === undefined ? 'its end' : JSON.stringify(found)}`,
    );
  }

  private isNext(prefix: string): boolean {
    return this.lines[this.at]?.startsWith(prefix) ?? false;
  }

  /** The words of the next line that stand where the pattern has a star. */
  private words(pattern: string): string[] {
    const words = (this.lines[this.at] ?? '').split(' ');
    const expected = pattern.split(' ');
    const fits = words.length === expected.length && expected.every((word, i) => word === '*' || word === words[i]);
    if (!fits) this.fail(JSON.stringify(pattern));
    this.at++;
    return words.filter((_, i) => expected[i] === '*');
  }

  private count(word: string, most = 1_000_000): number {
    const value = /^\d{1,7}$/.test(word) ? Number(word) : most + 1;
    return value <= most ? value : this.fail(`a number up to ${most}`);
  }

  private cells(of: string): CertificateCell[] {
    const cells: CertificateCell[] = [];
    while (this.isNext(`${of} `)) {
      const [field, word] = this.words(`${of} * *`);
      const sort = SORTS.find((each) => each === word);
      cells.push({ field, domain: sort ?? this.count(word, RADIX) });
    }
    return cells;
  }

  /** Lines in ascending order, each once. */
  private section<T>(title: string, read: (line: string) => T): T[] {
    const [count] = this.words(`${title} *`).map((word) => this.count(word));
    return Array.from({ length: count }, (_, i) => {
      const line = this.lines[this.at];
      if (line === undefined || (i > 0 && line <= this.lines[this.at - 1])) this.fail(`line ${i + 1} of ${title}`);
      const value = read(line);
      this.at++;
      return value;
    });
  }

  private values(word: string, cells: readonly CertificateCell[], names: Certificate['names']): number[] {
    if (word.length !== cells.length) this.fail(`${cells.length} values where there is ${JSON.stringify(word)}`);
    return cells.map(({ domain }, i) => {
      const value = /[0-9a-z]/.test(word[i]) ? Number.parseInt(word[i], RADIX) : -1;
      const size = typeof domain === 'number' ? domain : sizeOf(domain, names);
      return value >= 0 && value < size ? value : this.fail(`a value below ${size} as ${cells[i].field}`);
    });
  }

  private cpuValues(part: string, head: Shape): CpuValues {
    const [first, ...rest] = part.split(' ');
    const cpu = this.values(first, head.cpuCells, head.names);
    if (head.running === undefined && rest.length === 0) return { cpu, thread: undefined };
    return { cpu, thread: this.thread(rest, head) };
  }

  private thread([first = '', ...rest]: readonly string[], head: Shape): ThreadValues {
    if (rest.length > head.contexts) this.fail(`at most ${head.contexts} contexts`);
    return {
      plain: this.values(first, head.threadCells, head.names),
      contexts: rest.map((word) => this.values(word, head.contextCells, head.names)),
    };
  }
}

type Shape = Omit<Certificate, 'views' | 'tasks' | 'idle'>;

function sizeOf(sort: Exclude<Domain, number>, { cpus, tasks, mms }: Certificate['names']): number {
  switch (sort) {
    case 'cpu':
      return cpus;
    case 'task':
      return tasks;
    case 'mm':
      return mms;
    case 'thread':
      return tasks + cpus;
  }
}

/** Throws CertificateError. */
export function readCertificate(text: string): Certificate {
  return new CertificateReader(text).read();
}
