/**
 * The certificate of a proof: its views and sleepers as a text that others can check. docs/certificate.md has the
 * format; what reads it (model/checker/certificate/) shares no code with this.
 */
import type { PlacedCell } from '../compiled/code/layout';
import type { Closure } from './prove';
import type { ThreadKind, Values } from './views';

/** Of the text's first line. */
const VERSION = 1;
/** Digits of a value. */
const RADIX = 36;

class CertificateWriter {
  private readonly closure: Closure;
  private readonly cpuCells: readonly PlacedCell[];
  /** Of a thread, those that are not of a context. */
  private readonly plain: readonly number[];
  /** By context, where its cells are among those of a thread. */
  private readonly contexts: readonly (readonly number[])[];
  private readonly threadCells: readonly PlacedCell[];

  constructor(closure: Closure) {
    this.closure = closure;
    const { layout, form } = closure.system;
    this.cpuCells = form.cpuCells(0).map((number) => layout.cells[number]);
    this.threadCells = form.threadCells(0).map((number) => layout.cells[number]);
    const places = [...this.threadCells.keys()];
    this.plain = places.filter((i) => this.threadCells[i].index.length === 1);
    this.contexts = Array.from({ length: closure.nesting }, (_, context) =>
      places.filter((i) => this.threadCells[i].index[1] === context),
    );
  }

  text(design: string, running: string | undefined): string {
    const { system, fixpoint, nesting } = this.closure;
    const { bounds, form } = system;
    const sleepersOf = (kind: ThreadKind) =>
      fixpoint.sleepers.filter((sleeper) => sleeper.kind === kind).map(({ values }) => this.thread([...values]));
    return [
      `pti-check certificate ${VERSION}`,
      `design ${design}`,
      `tracked ${form.tracked}`,
      `names cpus ${bounds.cpus} tasks ${bounds.tasks} mms ${bounds.mms}`,
      `contexts ${nesting}`,
      ...(running === undefined ? [] : [`running ${running}`]),
      ...this.schema(),
      ...section(
        'views',
        fixpoint.views.map(({ values }) => this.view(values)),
      ),
      ...section('tasks', sleepersOf('task')),
      ...section('idle', sleepersOf('idle')),
      'end',
      '',
    ].join('\n');
  }

  private schema(): string[] {
    const { layout } = this.closure.system;
    const globals = [...layout.fields.values()].filter(({ over }) => over.length === 0);
    const line = (of: string) => (cell: PlacedCell) => {
      const sort = layout.fields.get(cell.field)?.sort ?? 'range';
      if (sort !== 'bool' && sort !== 'range') return `${of} ${cell.field} ${sort}`;
      return `${of} ${cell.field} ${cell.size}`;
    };
    const [first = []] = this.contexts;
    return [
      ...this.cpuCells.map(line('cpu')),
      ...this.plain.map((i) => line('thread')(this.threadCells[i])),
      ...first.map((i) => line('context')(this.threadCells[i])),
      ...globals.map(({ name }) => `global ${name}`),
    ];
  }

  private view(values: Values): string {
    const width = values.length / this.closure.system.form.tracked;
    const parts: string[] = [];
    for (let start = 0; start < values.length; start += width) {
      const cpu = [...values.subarray(start, start + this.cpuCells.length)];
      const thread = [...values.subarray(start + this.cpuCells.length, start + width)];
      parts.push([digits(cpu), this.thread(thread)].filter((part) => part !== '').join(' '));
    }
    return parts.join(' | ');
  }

  /** Up to the last context that holds anything. */
  private thread(values: readonly number[]): string {
    if (values.length === 0) return '';
    const contexts = this.contexts.map((cells) => cells.map((i) => values[i]));
    while (contexts.at(-1)?.every((value) => value === 0)) contexts.pop();
    return [this.plain.map((i) => values[i]), ...contexts].map(digits).join(' ');
  }
}

function digits(values: readonly number[]): string {
  return values.map((value) => value.toString(RADIX)).join('');
}

function section(title: string, lines: readonly string[]): string[] {
  return [`${title} ${lines.length}`, ...[...lines].sort()];
}

/** The certificate of a closed set, with the name of the design that it is of. */
export function certificateText(closure: Closure, design: string, running: string | undefined): string {
  return new CertificateWriter(closure).text(design, running);
}
