/**
 * Wrong certificates, made from a right one: each has to be rejected.
 */

interface Plant {
  readonly name: string;
  readonly text: string;
}

/** The line of a section at this place, from 0. */
function lineOf(lines: readonly string[], section: string, at: number): number {
  const start = lines.findIndex((line) => line.startsWith(`${section} `) && /^\d+$/.test(line.split(' ')[1]));
  return start + 1 + at;
}

/** The certificate with other lines in a section; their number and their order are made right again. */
function withSection(text: string, section: string, change: (lines: string[]) => string[]): string {
  const lines = text.split('\n');
  const start = lineOf(lines, section, 0);
  const count = Number(lines[start - 1].split(' ')[1]);
  const changed = [...new Set(change(lines.slice(start, start + count)))].sort();
  return [...lines.slice(0, start - 1), `${section} ${changed.length}`, ...changed, ...lines.slice(start + count)].join(
    '\n',
  );
}

const without = (i: number) => (lines: string[]) => lines.filter((_, at) => at !== i);

/** Changes one digit of the first line that the pattern fits. */
const edited = (pattern: RegExp, by: string) => (lines: string[]) => {
  const at = lines.findIndex((line) => pattern.test(line));
  if (at < 0) throw new Error(`no line fits ${pattern}`);
  return lines.map((line, i) => (i === at ? line.replace(pattern, by) : line));
};
const added = (pattern: RegExp, by: string) => (lines: string[]) => {
  const from = lines.find((line) => pattern.test(line));
  if (from === undefined) throw new Error(`no line fits ${pattern}`);
  return [...lines, from.replace(pattern, by)];
};

/**
 * `right` is the certificate of mainline, `other` that of a design with other stacks. The fields of a CPU are user,
 * userHalf, mm, userGs, interrupts, nmiBlocked, nmiPending, nmiAgain, nmiRepeat, stack, running, current, top, sp0.
 */
export function plantsOf(right: string, other: string): Plant[] {
  const views = (name: string, change: (lines: string[]) => string[]): Plant => ({
    name,
    text: withSection(right, 'views', change),
  });
  const cut = (part: number) => right.slice(0, Math.floor(right.length * part));
  return [
    views('the initial value of a task in user mode is missing', (lines) =>
      lines.filter((line) => line !== '1101100000000c 00'),
    ),
    views('the first value is left out', without(0)),
    views('the second value is left out', without(1)),
    views('a value of an interrupted system call is left out', (lines) =>
      lines.filter((line) => line !== '0000000003000c 20 11100000 21000133'),
    ),
    views('the last value but two is left out', (lines) => without(lines.length - 3)(lines)),
    views('all values with an NMI blocked are left out', (lines) => lines.filter((line) => line[5] === '0')),
    views('all values with three contexts are left out', (lines) =>
      lines.filter((line) => line.split(' ').length !== 5),
    ),
    views('there are no values', () => []),
    views('user mode on the kernel half is added', added(/^1101100000000c 00$/, '1001100000000c 00')),
    views('user mode with the GS of the kernel is added', added(/^1101100000000c 00$/, '1100100000000c 00')),
    views('user mode with the current of another task is added', added(/^1101100000000c 00$/, '1101100000040c 00')),
    views('interrupts on in the window are added', added(/^0101000000000c 10 10100000$/, '0101100000000c 10 10100000')),
    views('a foreign stack is added', added(/^0000000003000c 10 11100000$/, '0000000007000c 10 11100000')),
    views('a cell is changed: GS', edited(/^0000000003000c 10 11100000$/, '0001000003000c 10 11100000')),
    views('a cell is changed: the saved half of CR3', edited(/^(0000000006000c 20 11100000) 50011000$/, '$1 50001000')),
    { name: 'a sleeper is missing', text: withSection(right, 'tasks', without(0)) },
    {
      name: 'a sleeper with a frame on the entry stack is added',
      text: withSection(right, 'tasks', added(/^13 21100000$/, '23 21100002')),
    },
    { name: 'the idle thread is missing', text: withSection(right, 'idle', () => []) },
    { name: 'the certificate is of another design', text: other },
    { name: 'the file is cut in the middle of the values', text: cut(0.5) },
    { name: 'the file is cut before its last line', text: right.slice(0, -5) },
    { name: 'a value is out of its domain', text: right.replace('\n1101100000000c 00\n', '\n1101100009000c 00\n') },
    { name: 'pairs are promised and missing', text: right.replace('\ntracked 1\n', '\ntracked 2\n') },
    { name: 'a field is missing', text: right.replace('\ncpu userGs 2\n', '\n') },
  ];
}
