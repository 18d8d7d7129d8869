/** Columns without lines, for logs and mails: what cli-table3 draws with its borders and colours taken away. */
import Table from 'cli-table3';

const NO_LINES = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** One line a row, without spaces at its end. Cells may hold terminal colours. */
export function alignedTable(
  heads: readonly string[],
  aligns: readonly ('left' | 'right')[],
  rows: readonly string[][],
): string[] {
  const table = new Table({
    head: [...heads],
    colAligns: [...aligns],
    chars: NO_LINES,
    // The library's own colours would be in a log, too.
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  table.push(...rows);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd());
}
