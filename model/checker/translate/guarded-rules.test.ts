/** Rule bodies as guarded commands, on small bodies of our own. */
import { argumentsOf, guardedCommand, isDead, withoutLets } from './guarded-rules';
import type { Expr, RuleInfo, Statement } from './ir';

const int = (value: number): Expr => ({ kind: 'int', value });
const read = (field: string): Expr => ({ kind: 'read', field, indices: [] });
const is = (field: string): Expr => ({ kind: 'compare', operator: '===', left: read(field), right: int(1) });
const local = (name: string): Expr => ({ kind: 'local', name, type: 'int' });
const bind = (name: string, value: Expr): Statement => ({ kind: 'let', name, type: 'int', value });
const set = (field: string, value: Expr): Statement => ({ kind: 'assign', field, indices: [], value });
const when = (condition: Expr, yes: Statement[], no: Statement[] = []): Statement => ({
  kind: 'if',
  condition,
  yes,
  no,
});
const reject: Statement = { kind: 'reject' };
const not = (operand: Expr): Expr => ({ kind: 'not', operand });

test('a return in an if is a condition of the guard', () => {
  const { guard, effect } = guardedCommand([when(is('a'), [reject]), set('b', int(1))]);
  expect(guard).toEqual(not(is('a')));
  expect(effect).toEqual([set('b', int(1))]);
});

test('returns on both sides of an if keep their conditions', () => {
  const body = [when(is('a'), [when(is('b'), [reject])], [when(is('c'), [reject])]), set('d', int(0))];
  const { guard } = guardedCommand(body);
  expect(guard).toEqual({ kind: 'choose', condition: is('a'), yes: not(is('b')), no: not(is('c')) });
});

test('a const stands for its value in the guard', () => {
  const { guard, effect } = guardedCommand([
    bind('t', read('a')),
    when({ kind: 'compare', operator: '<', left: local('t'), right: int(2) }, [reject]),
    set('b', int(1)),
  ]);
  expect(guard).toEqual(not({ kind: 'compare', operator: '<', left: read('a'), right: int(2) }));
  expect(effect).toEqual([set('b', int(1))]);
});

test('a rule that always returns is dead', () => {
  expect(isDead(guardedCommand([reject]))).toBe(true);
  expect(isDead(guardedCommand([when(is('a'), [reject], [reject])]))).toBe(true);
  expect(isDead(guardedCommand([set('a', int(1))]))).toBe(false);
});

test('a const is replaced where its value is still the same', () => {
  expect(withoutLets([bind('t', read('a')), set('b', local('t'))])).toEqual([set('b', read('a'))]);
});

test('a const outlives a write of what it was read from', () => {
  const swap = [bind('t', read('a')), set('a', read('b')), set('b', local('t'))];
  expect(withoutLets(swap)).toEqual(swap);
  const chained = [bind('t', read('a')), bind('u', local('t')), set('a', int(0)), set('b', local('u'))];
  expect(withoutLets(chained)).toEqual([bind('u', read('a')), set('a', int(0)), set('b', local('u'))]);
});

test('a write in one branch does not concern the other', () => {
  const body = [bind('t', read('a')), when(is('c'), [set('a', int(0))], [set('b', local('t'))])];
  expect(withoutLets(body)).toEqual([when(is('c'), [set('a', int(0))], [set('b', read('a'))])]);
});

test('arguments come in the order of the instances', () => {
  const params = [
    { name: 'c', sort: 'cpu', extent: 2 },
    { name: 'm', sort: 'mm', extent: 2 },
  ] as const;
  expect(argumentsOf({ params } as unknown as RuleInfo)).toEqual([
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ]);
});
