/**
 * Promises of clauses that no mutant violates: mainline with one instruction changed. A thread that gives way has
 * stored its rsp (S9), and a system call answers what the image declares (S6). That the unchanged image holds is tested
 * with the designs.
 */
import { readFileSync } from 'node:fs';
import { Subject } from '../campaign/subject';
import { imageFile } from '../designs/images';
import '../testing/jest';

/** mainline with the bytes of one instruction, which occurs once, in place of another. */
function changed(from: string, to: string): Subject {
  const bytes = readFileSync(imageFile('mainline'));
  const old = Buffer.from(from, 'hex');
  const at = bytes.indexOf(old);
  expect([at >= 0, bytes.indexOf(old, at + 1)]).toEqual([true, -1]);
  Buffer.from(to, 'hex').copy(bytes, at);
  return new Subject({ design: 'mainline', elf: { name: 'changed', bytes } });
}

test('a context switch that does not store threadsp violates S9', () => {
  // three nops in place of mov %rsp,(%rdi) of switch_to
  expect(changed('488927', '909090')).toViolate('scheduled-out-on-own-stack', { seed: 'changed', runs: 40 });
});

test('a system call that answers something else than the image declares violates S6', () => {
  // push $-37 in place of push $-38, the saved rax of a system call
  expect(changed('6ada', '6adb')).toViolate('resume-is-exact', { seed: 'changed', runs: 40 });
});
