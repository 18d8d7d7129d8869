/**
 * What the terminal is like: how wide, and whether it has colours. Asked each time, because a window changes its size.
 */
import pc from 'picocolors';
import wrapAnsi from 'wrap-ansi';

type Env = Readonly<Record<string, string | undefined>>;

/** Width of text that no terminal shows (a pipe, a file, a mail), columns. */
const NO_TERMINAL = 80;
const NARROWEST = 40;

/** Columns that text may take: those of the terminal, or what COLUMNS says where there is none, or 80. */
export function terminalWidth(
  stream: { readonly columns?: number | undefined } = process.stdout,
  env: Env = process.env,
): number {
  const told = /^\d{1,5}$/.test(env.COLUMNS ?? '') ? Number(env.COLUMNS) : NO_TERMINAL;
  return Math.max(NARROWEST, stream.columns || told);
}

/**
 * Are colours wanted? NO_COLOR (no-color.org: any text but an empty one) turns them off, FORCE_COLOR turns them on
 * where there is no terminal (or off, if it is 0 or false); otherwise a terminal has them unless it says that it is
 * dumb.
 */
export function wantsColour(
  env: Env = process.env,
  stream: { readonly isTTY?: boolean | undefined } = process.stdout,
): boolean {
  if (env.NO_COLOR) return false;
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0' && env.FORCE_COLOR !== 'false';
  return stream.isTTY === true && env.TERM !== 'dumb';
}

export type Style = ReturnType<typeof pc.createColors>;

/** Terminal colours, or functions that leave the text alone. */
export function styleOf(colour: boolean = wantsColour()): Style {
  return pc.createColors(colour);
}

/** Words in lines of at most `width` columns; a longer word has a line to itself. Colours take no room. */
export function folded(text: string, width: number): string[] {
  return wrapAnsi(text, width).split('\n');
}

/** `text` behind `first`, folded; its other lines begin under the text. */
export function hanging(first: string, text: string, width: number): string[] {
  return folded(text, Math.max(1, width - first.length)).map(
    (line, i) => `${i === 0 ? first : ' '.repeat(first.length)}${line}`,
  );
}

/** Entries that a person copies stay whole: the terminal breaks them, and a copy is one line. */
const COPIED = ['again', 'watch it', 'saved', 'fast-check'];
/** Two spaces, a label in ten columns, and the text. */
const ENTRY = /^( {2}[a-z][a-z -]{8} )(\S.*)$/;

/** The lines of an answer, those that are too long folded: an entry (`  meaning   ...`) under its text. */
export function foldedAnswer(lines: readonly string[], width: number): string[] {
  return lines.flatMap((line) => {
    if (line.length <= width || COPIED.some((label) => line.trimStart().startsWith(label))) return [line];
    const [, first, text] = ENTRY.exec(line) ?? [];
    return first === undefined || text === undefined ? [line] : hanging(first, text, width);
  });
}
