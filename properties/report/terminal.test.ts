/**
 * Promises: text is as wide as the terminal, what a person copies stays whole, and NO_COLOR and FORCE_COLOR are
 * honoured.
 */
import { folded, foldedAnswer, styleOf, terminalWidth, wantsColour } from './terminal';

test('the width is that of the terminal, else COLUMNS, else 80', () => {
  expect(terminalWidth({ columns: 132 }, { COLUMNS: '100' })).toBe(132);
  expect(terminalWidth({}, { COLUMNS: '100' })).toBe(100);
  expect(terminalWidth({}, {})).toBe(80);
  expect(terminalWidth({}, { COLUMNS: 'wide' })).toBe(80);
  expect(terminalWidth({ columns: 0 }, {})).toBe(80);
  expect(terminalWidth({ columns: 7 }, {})).toBe(40);
});

test.each<[what: string, env: Record<string, string>, isTTY: boolean, wanted: boolean]>([
  ['a terminal', { TERM: 'xterm' }, true, true],
  ['a dumb terminal', { TERM: 'dumb' }, true, false],
  ['no terminal', {}, false, false],
  ['no terminal, in a CI job', { CI: 'true' }, false, false],
  ['NO_COLOR', { NO_COLOR: '1' }, true, false],
  ['an empty NO_COLOR, which says nothing', { NO_COLOR: '' }, true, true],
  ['FORCE_COLOR', { FORCE_COLOR: '1' }, false, true],
  ['FORCE_COLOR=0', { FORCE_COLOR: '0' }, true, false],
  ['both', { NO_COLOR: '1', FORCE_COLOR: '1' }, true, false],
])('colours: %s', (_, env, isTTY, wanted) => {
  expect(wantsColour(env, { isTTY })).toBe(wanted);
});

test('a word that is too long has a line to itself, and colours take no room', () => {
  expect(folded('a bb ccc-is-a-long-word d', 6)).toEqual(['a bb', 'ccc-is-a-long-word', 'd']);
  expect(folded(`${styleOf(true).red('one two')} three`, 13)).toHaveLength(1);
});

test('an entry of an answer is folded under its text; what a person copies is not', () => {
  const again = `  again     pti-check fuzz --design ${'x'.repeat(60)} --seed 1`;
  expect(
    foldedAnswer(['  meaning   one two three four', again, 'mainline: holds in every reachable state'], 22),
  ).toEqual(['  meaning   one two', '            three four', again, 'mainline: holds in every reachable state']);
});
