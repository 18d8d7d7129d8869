import { registerLayout, withoutComments } from './target-description';

const XML = `<feature name="org.gnu.gdb.i386.core">
  <flags id="i386_eflags" size="4"><field name="CF" start="0" end="0"/></flags>
  <reg name="rax" bitsize="64" type="int64" regnum="0"/>
  <reg name="eflags" bitsize="32" type="i386_eflags"/>
  <!-- <reg name="tr" bitsize="32" type="int32"/>
       <reg name="gdt" bitsize="64" type="int64"/> -->
  <reg name="cr3" bitsize="64" type="int64"/>
</feature>`;

test('registers are counted and laid out in order, and those in a comment do not count', () => {
  expect([...registerLayout([withoutComments(XML), '<reg name="x" bitsize="32" regnum="40"/>'])]).toEqual([
    ['rax', { index: 0, offset: 0, bytes: 8 }],
    ['eflags', { index: 1, offset: 8, bytes: 4 }],
    ['cr3', { index: 2, offset: 12, bytes: 8 }],
    ['x', { index: 40, offset: 20, bytes: 4 }],
  ]);
});

test('a register without a width is bad input', () => {
  expect(() => registerLayout(['<reg name="rax"/>'])).toThrow('expected a register with a name and whole bytes');
});
