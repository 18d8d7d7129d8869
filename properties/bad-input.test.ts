import { CounterexampleError } from '../counterexamples/counterexample-error';
import { LoadError } from '../emulator/boot';
import { ElfError } from '../emulator/elf/elf-error';
import { UnimplementedError } from '../emulator/unimplemented';
import { BadInputError, badInputFrom, badInputMessage } from './bad-input';
import { UnknownSubjectError } from './campaign/subject';
import { ManifestError } from './guest/manifest';
import { BootError } from './monitor/guest';

test.each([
  new BadInputError('such a flag'),
  new BootError('such a guest'),
  new CounterexampleError('newer', 'a.json', 'such a file'),
  new ElfError('not-elf', 'such an image'),
  new LoadError('such a memory'),
  new ManifestError('such a symbol'),
  new UnimplementedError('fsin', 0x1000),
  new UnknownSubjectError('such a design'),
])('%s is for the user', (error) => {
  expect(badInputMessage(error)).toBe(error.message);
});

test('anything else is a bug of ours', () => {
  expect(badInputMessage(new RangeError('out of range'))).toBeUndefined();
  expect(badInputMessage('text')).toBeUndefined();
});

test('a message has one line, whatever names are in it', () => {
  expect(badInputMessage(new BadInputError('found "\u001b[2J\n"'))).toBe('found " [2J "');
});

test('details have lines of their own, here and on the way back from a worker', () => {
  const message = badInputMessage(new BootError('it\nhalted', ['  fault #GP(0)', '    handler "\n"']));
  expect(message).toBe('it halted\n  fault #GP(0)\n    handler " "');
  expect(badInputMessage(badInputFrom(message ?? ''))).toBe(message);
});
