/**
 * For tests: rules in and outside of the rule language.
 */

export const VOCABULARY = `
  export type Cpu = number; export type Task = number; export type Thread = number; export type Mm = number;
  export interface DesignConfig { readonly pti: number; readonly names: readonly string[] }
  export interface Bounds { readonly cpus: number; readonly tasks: number; readonly mms: number }
  export interface State { user: number[]; kind: number[][]; left: number; failed: number }
  export const USER = 1;
  export const KERNEL = USER + 1;
  export const NAME = 'user';
  export function isUser(s: State, c: Cpu): boolean { return s.user[c] === USER; }
  export function setUser(s: State, c: Cpu): void { s.user[c] = USER; }
  export function table(s: State): number[] { return s.user; }
  export function someRule(d: DesignConfig, b: Bounds, s: State, c: Cpu): false | void { if (s.left === 0) return false; s.user[c] = d.pti; }
`;

export const HEADER = `
import { KERNEL, NAME, USER, isUser, setUser, someRule, table, type Bounds, type Cpu, type DesignConfig, type Mm, type State, type Task, type Thread } from '../vocabulary';
import { every, exists } from '../checker/language/quantifiers';
`;
export const HEADER_LINES = HEADER.split('\n').length - 1;

/** A rule with this body. */
export const rule = (body: string) =>
  `export function sample(d: DesignConfig, b: Bounds, s: State, c: Cpu, t: Task): false | void {\n${body}\n}`;
/** A rule that writes if this condition holds. */
const asks = (condition: string) => rule(`if (${condition}) return false;\ns.left = 0;`);
/** A rule that stores this value. */
export const stores = (value: string) => rule(`s.left = ${value};`);

/** Each construct outside the language: a sample of it, and what its message has to teach. */
export const REJECTED: readonly (readonly [construct: string, source: string, lesson: string])[] = [
  // Statements.
  ['let', rule('let x = 1;\ns.left = x;'), 'only const'],
  ['var', rule('var x = 1;\ns.left = x;'), 'only const'],
  ['destructuring of an object', rule('const { left } = s;\ns.left = left;'), 'no destructuring'],
  ['destructuring of an array', rule('const [first] = s.user;\ns.left = first;'), 'no destructuring'],
  ['a for loop', rule('for (;;) s.left = 1;'), 'no loops: ask with exists or every'],
  ['a for-of loop', rule('for (const x of s.user) s.left = x;'), 'no loops'],
  ['a for-in loop', rule('for (const x in s.user) s.left = 1;'), 'no loops'],
  ['a while loop', rule('while (s.left === 1) s.left = 0;'), 'no loops'],
  ['a do loop', rule('do s.left = 0; while (s.left === 1);'), 'no loops'],
  ['switch', rule('switch (s.left) { case 0: s.left = 1; }\ns.left = 1;'), 'no switch: write if and else if'],
  ['throw', rule('if (s.left === 1) throw s;\ns.left = 1;'), 'no throw'],
  ['try', rule('try { s.left = 1; } finally { s.left = 0; }\ns.left = 1;'), 'no try'],
  [
    'a nested function',
    rule('function inner(): void {}\ns.left = 0;'),
    'no nested functions: write a top-level helper',
  ],
  ['a nested class', rule('class Inner {}\ns.left = 0;'), 'no classes'],
  ['a bare block', rule('{ s.left = 0; }\ns.left = 1;'), 'no block of its own'],
  ['an empty statement', rule(';\ns.left = 1;'), 'remove the semicolon'],
  ['debugger', rule('debugger;\ns.left = 1;'), 'no debugger'],
  ['a label', rule('here: s.left = 1;\ns.left = 1;'), 'no labels'],
  // Returns.
  ['return false after a write', rule('s.left = 1;\nif (s.user[c] === 1) return false;'), 'return false after a write'],
  [
    'return false after a write in one branch',
    rule('if (c === 0) s.left = 1;\nelse s.user[c] = 1;\nreturn false;'),
    'return false after a write',
  ],
  ['return false after a procedure', rule('setUser(s, c);\nreturn false;'), 'return false after a write'],
  [
    'an early return from a rule',
    rule('if (s.left === 0) return;\ns.left = 1;'),
    'write if and else instead of an early return',
  ],
  ['a result of a rule', rule('s.left = 1;\nreturn true as never;'), 'a rule returns false or nothing'],
  [
    'return false in a helper',
    'export function sample(s: State): boolean { return false; }',
    'return false belongs to rules',
  ],
  [
    'return false in a procedure',
    'export function sample(s: State): void { if (s.left === 1) return false as never;\ns.left = 1; }',
    'a procedure returns nothing',
  ],
  [
    'an early return in a helper',
    'export function sample(s: State): number { if (s.left === 1) return 1;\nreturn 2; }',
    'at its end: write condition ? a : b',
  ],
  [
    'a helper without a return',
    'export function sample(s: State): number { s.left === 1; }',
    'does not end with a return',
  ],
  ['a rule that writes nothing', rule('if (s.left === 1) return false;'), 'writes nothing'],
  // Writes.
  ['compound assignment', rule('s.left += 1;'), 'only plain = exists: write s.x = s.x + 1'],
  ['increment', rule('s.left++;'), 'no ++ and --'],
  ['prefix increment', rule('++s.left;'), 'write s.x = s.x + 1'],
  ['chained assignment', rule('s.left = s.user[c] = 1;'), '= is a statement'],
  ['assignment to a parameter', rule('c = 1;\ns.left = 1;'), 'c is not a place in the state'],
  ['assignment to the design', rule('d.pti = 1;\ns.left = 1;'), 'd.pti is not a place in the state'],
  ['assignment of a whole array', rule('s.user = table(s);'), 's.user is not one value'],
  ['assignment through an array helper', rule('table(s)[c] = 1;'), 'is not a place in the state'],
  ['destructuring assignment', rule('[s.left] = s.user;'), 'is not a place in the state'],
  [
    'a write in a helper that returns a value',
    'export function sample(s: State): number { s.left = 1;\nreturn 1; }',
    'does not write: make it a procedure',
  ],
  ['delete', rule('delete (s as never)[c];\ns.left = 1;'), 'no delete'],
  // Values.
  ['a string literal', rule("const x = 'user';\ns.left = 0;"), 'no strings: name the value by an integer constant'],
  ['a template', rule('const x = `user`;\ns.left = 0;'), 'no strings'],
  ['a template with a value', rule(`const x = \`\${c}\`;\ns.left = 0;`), 'no strings'],
  ['a fraction', stores('0.5'), 'not a plain decimal integer'],
  ['a hexadecimal number', stores('0x10'), 'not a plain decimal integer'],
  ['a BigInt', asks('1n === 1n'), 'no BigInt'],
  ['a regular expression', asks('/x/ === /x/'), 'no regular expressions'],
  ['null', asks('s.user[c] === null'), 'no null'],
  ['undefined', asks('s.user[c] === undefined'), 'undefined is not a value'],
  ['an object', rule('const x = { c };\ns.left = 0;'), 'no objects'],
  ['an array', rule('const x = [c];\ns.left = 0;'), 'no arrays'],
  [
    'an alias of an array',
    rule('const row = s.kind[c];\nrow[0] = 1;'),
    's.kind[c] is not one value: name all its indices',
  ],
  ['an alias of the state', rule('const x = s;\nx.left = 1;'), 's is no value'],
  ['a constant that is a string', rule('const x = NAME;\ns.left = 0;'), 'NAME is not an integer constant of model/'],
  ['a global', stores('Infinity'), 'Infinity is not an integer constant'],
  ['a function as a value', rule('const x = isUser;\ns.left = 0;'), 'isUser is not a value'],
  [
    'a property of a value',
    stores('s.user.length'),
    's.user.length is not a field of the design, the bounds or the state',
  ],
  ['a field that is no integer', rule('const x = d.names;\ns.left = 0;'), 'd.names is not one value'],
  ['a type assertion', stores('(s.left as number)'), 'no type assertions'],
  ['a type assertion in brackets', stores('<number>s.left'), 'no type assertions'],
  ['satisfies', stores('(s.left satisfies number)'), 'no `satisfies`'],
  ['a non-null assertion', stores('s.left!'), 'no `!` after a value'],
  ['optional chaining of a field', stores('s?.left'), 'no ?. : every field exists'],
  ['optional chaining of an element', stores('s.user?.[c]'), 'no ?. : every index is in range'],
  ['this', stores('this'), 'no `this`'],
  ['typeof', asks("typeof c === 'number'"), 'no typeof'],
  ['new', rule('const x = new Date();\ns.left = 0;'), 'no objects: a rule only writes fields of the state'],
  ['a class expression', rule('const x = class {};\ns.left = 0;'), 'no classes'],
  // Operators.
  ['==', asks('s.left == 1'), 'write === instead of =='],
  ['!=', asks('s.left != 1'), 'write !== instead of !='],
  ['multiplication', stores('s.left * 2'), 'the arithmetic of rules is + and -'],
  ['division', stores('s.left / 2'), 'the arithmetic of rules is + and -'],
  ['a remainder by something else than a bound', stores('c % 2'), '% of a bound'],
  ['power', stores('s.left ** 2'), 'the arithmetic of rules is + and -'],
  ['bit and', stores('s.left & 1'), 'no bit operators (&)'],
  ['bit or', stores('s.left | 1'), 'no bit operators (|)'],
  ['exclusive or', stores('s.left ^ 1'), 'no bit operators (^)'],
  ['shift', stores('s.left << 1'), 'no bit operators (<<)'],
  ['complement', stores('~s.left'), 'use one field for each bit'],
  ['a negative number', stores('-1'), 'no value is negative'],
  ['unary plus', stores('+s.left'), 'no + before a value'],
  ['??', stores('s.left ?? 1'), 'no value is ever undefined'],
  ['a number chosen by ||', stores('s.left || 1'), '|| is not a way to choose a number: write condition ? a : b'],
  ['a number chosen by &&', asks('(s.left && 1) === 1'), '&& is not a way to choose a number'],
  ['the comma', stores('(c, t)'), 'write two statements instead of a comma'],
  ['in', asks('c in s.user'), 'instead of asking with `in`'],
  ['instanceof', asks('s instanceof Date'), 'values are integers'],
  ['void', stores('void 0'), 'no `void`'],
  // Closures and calls.
  ['a closure', rule('const f = () => 1;\ns.left = 0;'), 'a closure may only be the argument of exists or every'],
  ['a function expression', rule('const f = function () {};\ns.left = 0;'), 'a closure may only be the argument'],
  ['a quantifier over a name', asks('exists(b.cpus, Boolean)'), 'the condition of exists and every is an arrow'],
  [
    'a quantifier with a block',
    asks('exists(b.cpus, (k) => { return k === c; })'),
    'is one expression: (k) => condition, without braces',
  ],
  ['a quantifier with destructuring', asks('every(b.cpus, ({}) => true)'), 'has one plain parameter'],
  ['a quantifier with a default', asks('every(b.cpus, (k = 1) => k === 1)'), 'has one plain parameter'],
  ['a bad expression inside a quantifier', asks('exists(b.cpus, (k) => s.user[k] == 1)'), 'write === instead of =='],
  ['a method', asks('s.user.includes(1)'), 's.user.includes is not a top-level function of model/'],
  ['a library function', stores('Math.max(c, t)'), 'Math.max is not a top-level function of model/'],
  ['a call of a rule', rule('someRule(d, b, s, c);'), 'someRule is a rule, and rules do not call rules'],
  [
    'a procedure as a value',
    rule('const x = setUser(s, c);\ns.left = 0;'),
    'setUser returns nothing: call it as a statement',
  ],
  ['a helper as a statement', rule('isUser(s, c);\ns.left = 0;'), 'the result of isUser is lost'],
  [
    'a helper that returns an array',
    rule('const x = table(s);\ns.left = 0;'),
    'table is no helper: declare that it returns number or boolean',
  ],
  ['a spread argument', rule('const x = isUser(...(s.user as never));\ns.left = 0;'), 'no spread'],
  [
    'a helper in a variable',
    'export const sample = (s: State): boolean => s.left === 1;',
    'rules and helpers are function declarations',
  ],
  [
    'recursion',
    'export function sample(s: State, n: number): number { return n === 0 ? 0 : sample(s, n - 1); }',
    'sample calls itself',
  ],
  [
    'recursion through another',
    'export function sample(s: State): number { return other(s); }\nfunction other(s: State): number { return sample(s); }',
    'other calls itself, directly or through others',
  ],
  [
    'a fault in a called helper without the state',
    `${stores('double(c)')}\nfunction double(n: number): number { return n * 2; }`,
    'the arithmetic of rules is + and -',
  ],
  ['await', 'export async function sample(s: State): Promise<void> { await s; }', 'no await'],
  ['yield', 'export function* sample(s: State): Iterable<number> { yield 1; }', 'no yield'],
  // Declarations.
  [
    'an async rule',
    'export async function sample(s: State): Promise<void> { s.left = 1; }',
    'a rule is one atomic step',
  ],
  ['a generator', 'export function* sample(s: State): Iterable<number> { s.left = 1; }', 'async or a generator'],
  ['type parameters', 'export function sample<T>(s: State): void { s.left = 1; }', 'has type parameters'],
  [
    'a destructured parameter',
    'export function sample({ left }: State): boolean { return left === 1; }',
    'no destructuring: take s and read its fields',
  ],
  [
    'a default argument',
    'export function sample(s: State, c: Cpu = 0): boolean { return s.user[c] === 1; }',
    'c is optional or a rest',
  ],
  [
    'an optional parameter',
    'export function sample(s: State, c?: Cpu): boolean { return s.left === 1; }',
    'c is optional or a rest',
  ],
  [
    'a rest parameter',
    'export function sample(s: State, ...c: Cpu[]): boolean { return s.left === 1; }',
    'c is optional or a rest',
  ],
  [
    'a parameter that is an array',
    'export function sample(s: State, row: number[]): boolean { return s.left === 1; }',
    'row is of type number[]',
  ],
  [
    'a parameter without a type',
    'export function sample(s: State, row): boolean { return s.left === 1; }',
    'row is of type any',
  ],
  [
    'an undeclared result',
    'export function sample(s: State) { return s.left === 1; }',
    'declares no result of the language',
  ],
  [
    'a rule with its parameters in another order',
    'export function sample(s: State, c: Cpu): false | void { s.left = 1; }',
    'rule sample takes (State, Cpu): write (d: DesignConfig, b: Bounds, s: State, c: Cpu, ...)',
  ],
  [
    'a rule over a number',
    'export function sample(d: DesignConfig, b: Bounds, s: State, n: number): false | void { s.left = 1; }',
    'each more a Cpu, Task, Thread or Mm',
  ],
  ['an enum', 'enum Sample { A }', 'no enum: write top-level integer constants'],
  ['an enum in a rule', rule('enum Sample { A }\ns.left = 1;'), 'no enum'],
  ['a class', 'class Sample {}', 'no classes'],
  ['a namespace', 'namespace Sample {}', 'no namespaces'],
  ['a top-level let', 'let sample = 1;', 'only const: what changes is a field of the state'],
  ['a top-level effect', 'console.log(1);', 'a rule file only declares'],
];

/** What the language has. Each of these is one file without errors. */
export const ACCEPTED: readonly (readonly [string, string])[] = [
  [
    'guards, consts and writes',
    rule(
      'const x = s.kind[c][s.left] + KERNEL - 1;\nif (x > 3 || !isUser(s, c)) return false;\nif (x === 1) s.user[c] = x;\nelse if (c !== t) { s.kind[c][0] = d.pti === 1 ? USER : 0; } else setUser(s, c);',
    ),
  ],
  [
    'quantifiers, nested, over helpers and consts',
    asks('exists(b.cpus, (k) => k !== c && every(b.tasks, (u) => (u === t || isUser(s, k)) && s.user[k] !== USER))'),
  ],
  [
    'a truth value in a const',
    rule('const quiet = s.left === 0 && !isUser(s, c);\nif (quiet) return false;\ns.left = 0;'),
  ],
  ['a remainder by a bound', stores('t % b.mms')],
  ['a violated property', rule('if (s.left === 0) s.failed = 9;\ns.left = 0;')],
  [
    'return false in both branches before the write',
    rule('if (c === 0) {\nif (s.left === 0) return false;\n} else if (s.left === 1) return false;\ns.left = 2;'),
  ],
  ['return false beside a branch that writes', rule('if (c === 0) s.left = 1;\nelse return false;')],
  ['a helper with consts', 'export function sample(b: Bounds, t: Task): Mm { const m = t % b.mms;\nreturn m + 1; }'],
  [
    'a table of rules with strings and a builder',
    `${stores('1')}\nfunction step(name: string, apply: unknown) { return { name, apply }; }\nexport const RULES = [step('sample', sample), ...[{ name: \`x\`, event: true }]];`,
  ],
];
