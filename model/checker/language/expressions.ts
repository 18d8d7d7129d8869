/**
 * Expressions of the rule language: integers and truth values, read from the state, the bounds and the design,
 * compared, added, and handed to helpers. Anything else is reported with what to write instead.
 */
import type {
  ArrowFunction,
  BinaryExpression,
  CallExpression,
  FunctionDeclaration,
  Identifier,
  Node,
  PrefixUnaryExpression,
} from 'ts-morph';
import { Node as Syntax, SyntaxKind } from 'ts-morph';
import type { Check } from './check';
import { declarationOf, isInSources, isTruthType, isValueType, kindOf, recordTypeOf } from './check';
import { languageFunction } from './rule-sources';

const COMPARISONS: readonly string[] = ['===', '!==', '<', '<=', '>', '>='];
const CONNECTIVES: readonly string[] = ['&&', '||'];
const ARITHMETIC: readonly string[] = ['+', '-'];

const OTHER_OPERATORS: Readonly<Record<string, string>> = {
  '==': 'write === instead of ==',
  '!=': 'write !== instead of !=',
  '??': 'no value is ever undefined; write a ?: with the condition that you mean',
  ',': 'write two statements instead of a comma',
  in: 'compare indices with < instead of asking with `in`',
  instanceof: 'values are integers; compare a field that names the kind',
};

/** What to write instead of an expression that has no place in a rule. */
const FORBIDDEN: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.StringLiteral, 'no strings: name the value by an integer constant'],
  [SyntaxKind.NoSubstitutionTemplateLiteral, 'no strings: name the value by an integer constant'],
  [SyntaxKind.TemplateExpression, 'no strings: name the value by an integer constant'],
  [SyntaxKind.BigIntLiteral, 'no BigInt: every value is a small integer'],
  [SyntaxKind.RegularExpressionLiteral, 'no regular expressions: every value is a small integer'],
  [SyntaxKind.NullKeyword, 'no null: give the sort one more value'],
  [SyntaxKind.ArrowFunction, 'a closure may only be the argument of exists or every; write a top-level helper'],
  [
    SyntaxKind.FunctionExpression,
    'a closure may only be the argument of exists or every, as an arrow; write a top-level helper',
  ],
  [SyntaxKind.ObjectLiteralExpression, 'no objects: use one const, or one field, for each value'],
  [SyntaxKind.ArrayLiteralExpression, 'no arrays: use one const, or one field, for each value'],
  [SyntaxKind.SpreadElement, 'no spread: pass the arguments one by one'],
  [SyntaxKind.AsExpression, 'no type assertions: give the helper or the field the type that you mean'],
  [SyntaxKind.TypeAssertionExpression, 'no type assertions: give the helper or the field the type that you mean'],
  [SyntaxKind.SatisfiesExpression, 'no `satisfies`: give the helper or the field the type that you mean'],
  [SyntaxKind.NonNullExpression, 'no `!` after a value: no value is ever undefined'],
  [SyntaxKind.NewExpression, 'no objects: a rule only writes fields of the state'],
  [SyntaxKind.ClassExpression, 'no classes: write top-level functions'],
  [SyntaxKind.TypeOfExpression, 'no typeof: every value is a small integer'],
  [SyntaxKind.VoidExpression, 'no `void`: call a procedure as a statement'],
  [SyntaxKind.DeleteExpression, 'no delete: a state always has all its fields; assign 0'],
  [SyntaxKind.AwaitExpression, 'no await: a rule is one atomic step'],
  [SyntaxKind.YieldExpression, 'no yield: a rule is one atomic step'],
  [SyntaxKind.PostfixUnaryExpression, 'no ++ and --: write s.x = s.x + 1 as a statement'],
  [SyntaxKind.ThisKeyword, 'no `this`: the state is a parameter'],
]);

/**
 * Checks the expressions of one function. `value` is for results that are stored or computed with, `condition` for
 * those that are only asked.
 */
export class Expressions {
  private readonly check: Check;
  private readonly owner: FunctionDeclaration;

  constructor(check: Check, owner: FunctionDeclaration) {
    this.check = check;
    this.owner = owner;
  }

  condition(node: Node): void {
    if (Syntax.isParenthesizedExpression(node)) this.condition(node.getExpression());
    else if (Syntax.isBinaryExpression(node) && CONNECTIVES.includes(node.getOperatorToken().getText()))
      this.connective(node);
    else this.value(node);
  }

  value(node: Node): void {
    if (Syntax.isNumericLiteral(node)) this.integer(node);
    else if (Syntax.isTrueLiteral(node) || Syntax.isFalseLiteral(node)) return;
    else if (Syntax.isIdentifier(node)) this.name(node);
    else if (Syntax.isParenthesizedExpression(node)) this.value(node.getExpression());
    else if (Syntax.isPrefixUnaryExpression(node)) this.prefix(node);
    else if (Syntax.isBinaryExpression(node)) this.binary(node);
    else if (Syntax.isConditionalExpression(node))
      this.ternary(node.getCondition(), node.getWhenTrue(), node.getWhenFalse());
    else if (Syntax.isPropertyAccessExpression(node) || Syntax.isElementAccessExpression(node)) this.place(node);
    else if (Syntax.isCallExpression(node)) this.call(node, 'helper');
    else
      this.check.report(
        node,
        FORBIDDEN.get(node.getKind()) ??
          `${node.getKindName()} is no expression of the rule language: compare, add, or call a helper`,
      );
  }

  /** A place in the state: `s.field`, `s.field[i]` or `s.field[i][j]`, down to one value. */
  place(node: Node): void {
    const indices: Node[] = [];
    let at = node;
    while (Syntax.isElementAccessExpression(at)) {
      if (at.hasQuestionDotToken()) this.check.report(at, 'no ?. : every index is in range; test it before you use it');
      const index = at.getArgumentExpression();
      if (index !== undefined) indices.push(index);
      at = at.getExpression();
    }
    for (const index of indices) this.value(index);
    if (!Syntax.isPropertyAccessExpression(at) || recordTypeOf(at.getExpression()) === undefined) {
      this.check.report(
        node,
        `${node.getText()} is not a field of the design, the bounds or the state: write d.name, b.name, s.name or an element of s.name`,
      );
    } else if (at.hasQuestionDotToken()) this.check.report(at, 'no ?. : every field exists');
    else if (!isValueType(node.getType())) {
      this.check.report(node, `${node.getText()} is not one value: name all its indices, here, where it is used`);
    }
  }

  /** A call of a helper in an expression, or of a procedure as a statement. */
  call(node: CallExpression, wanted: 'helper' | 'procedure'): void {
    const callee = node.getExpression();
    const declaration = Syntax.isIdentifier(callee) ? declarationOf(callee) : undefined;
    const isFunction = Syntax.isFunctionDeclaration(declaration) && Syntax.isSourceFile(declaration.getParent());
    const ofLanguage = isFunction ? languageFunction(declaration) : undefined;
    if (!isFunction || (ofLanguage === undefined && !isInSources(this.check, declaration))) {
      this.check.report(
        node,
        `${callee.getText()} is not a top-level function of ${this.check.sources.name}: write one and call it by its name`,
      );
    } else if (ofLanguage === 'exists' || ofLanguage === 'every') this.quantified(node);
    else if (kindOf(declaration) !== wanted) this.check.report(node, wrongKind(declaration, wanted));
    else {
      for (const argument of node.getArguments()) if (recordTypeOf(argument) === undefined) this.value(argument);
      if (ofLanguage === undefined) this.check.calls(this.owner, declaration);
    }
  }

  private integer(node: Node): void {
    if (!/^(0|[1-9][0-9]*)$/.test(node.getText()))
      this.check.report(node, `${node.getText()} is not a plain decimal integer: every value is a small integer`);
  }

  private name(node: Identifier): void {
    const declaration = declarationOf(node);
    const text = node.getText();
    if (recordTypeOf(node) !== undefined) {
      this.check.report(node, `${text} is no value: pass it to a helper, or read a field of it`);
    } else if (declaration === undefined) this.check.report(node, `${text} is not a value of the rule language`);
    else if (
      Syntax.isVariableDeclaration(declaration) &&
      Syntax.isSourceFile(declaration.getVariableStatement()?.getParent())
    ) {
      if (!isConstant(this.check, declaration))
        this.check.report(
          node,
          `${text} is not an integer constant of ${this.check.sources.name}: a rule reads only those, its parameters and its own consts`,
        );
    } else if (!Syntax.isParameterDeclaration(declaration) && !Syntax.isVariableDeclaration(declaration)) {
      this.check.report(
        node,
        `${text} is not a value of the rule language: name a const, a parameter or an integer constant`,
      );
    }
  }

  private prefix(node: PrefixUnaryExpression): void {
    if (node.getOperatorToken() === SyntaxKind.ExclamationToken) return this.condition(node.getOperand());
    const operator = node.getText().slice(0, node.getOperand().getPos() - node.getStart());
    const advice = /\+\+|--/.test(operator)
      ? 'write s.x = s.x + 1 as a statement'
      : operator === '~'
        ? 'no bit operators: use one field for each bit'
        : 'no value is negative: compare before you subtract';
    this.check.report(node, `no ${operator} before a value: ${advice}`);
  }

  private binary(node: BinaryExpression): void {
    const operator = node.getOperatorToken().getText();
    if (CONNECTIVES.includes(operator)) {
      this.connective(node);
      if (!isTruthType(node.getType()))
        this.check.report(node, `${operator} is not a way to choose a number: write condition ? a : b`);
    } else if (COMPARISONS.includes(operator) || ARITHMETIC.includes(operator) || isModuloOfBound(node)) {
      this.value(node.getLeft());
      this.value(node.getRight());
    } else this.check.report(node, adviceOn(operator));
  }

  private connective(node: BinaryExpression): void {
    this.condition(node.getLeft());
    this.condition(node.getRight());
  }

  private ternary(condition: Node, yes: Node, no: Node): void {
    this.condition(condition);
    this.value(yes);
    this.value(no);
  }

  private quantified(node: CallExpression): void {
    const [count, condition] = node.getArguments();
    if (count !== undefined) this.value(count);
    if (condition === undefined || !Syntax.isArrowFunction(condition))
      return this.check.report(node, 'the condition of exists and every is an arrow: exists(n, (k) => ...)');
    this.closure(condition);
  }

  private closure(arrow: ArrowFunction): void {
    const [parameter, ...more] = arrow.getParameters();
    const plain =
      more.length === 0 &&
      parameter !== undefined &&
      Syntax.isIdentifier(parameter.getNameNode()) &&
      !parameter.hasInitializer() &&
      !parameter.isRestParameter();
    if (!plain) this.check.report(arrow, 'the closure of exists and every has one plain parameter: (k) => ...');
    const body = arrow.getBody();
    if (Syntax.isBlock(body))
      this.check.report(arrow, 'the closure of exists and every is one expression: (k) => condition, without braces');
    else this.condition(body);
  }
}

function wrongKind(declaration: FunctionDeclaration, wanted: 'helper' | 'procedure'): string {
  const name = declaration.getName();
  switch (kindOf(declaration)) {
    case 'rule':
      return `${name} is a rule, and rules do not call rules: move what both do into a procedure or a helper`;
    case 'procedure':
      return `${name} returns nothing: call it as a statement`;
    case 'helper':
      return `the result of ${name} is lost: a statement calls a procedure (declared to return void)`;
    case 'foreign':
      return `${name} is no ${wanted}: declare that it returns ${wanted === 'helper' ? 'number or boolean' : 'void'}`;
  }
}

function adviceOn(operator: string): string {
  const advice = OTHER_OPERATORS[operator];
  if (advice !== undefined) return advice;
  if (/^(\S+)=$/.test(operator) || operator === '=')
    return `${operator} is a statement, and only plain = exists: write s.x = s.x + 1 on a line of its own`;
  if (/^[&|^<>]+$/.test(operator)) return `no bit operators (${operator}): use one field for each bit, and && or ||`;
  return `no ${operator}: the arithmetic of rules is + and -, and % of a bound`;
}

/**
 * `t % b.mms` wraps an index around: the only division there is, since every target language has it for a constant
 * divisor.
 */
function isModuloOfBound(node: BinaryExpression): boolean {
  if (node.getOperatorToken().getText() !== '%') return false;
  const right = node.getRight();
  return Syntax.isPropertyAccessExpression(right) && recordTypeOf(right.getExpression()) === 'Bounds';
}

/** An integer, or a sum of integer constants. */
function isConstant(check: Check, declaration: Node): boolean {
  return (
    Syntax.isVariableDeclaration(declaration) &&
    isInSources(check, declaration) &&
    isConstantExpression(check, declaration.getInitializer())
  );
}

function isConstantExpression(check: Check, node: Node | undefined): boolean {
  if (node === undefined) return false;
  if (Syntax.isNumericLiteral(node)) return Number.isInteger(node.getLiteralValue());
  if (Syntax.isBinaryExpression(node))
    return (
      ARITHMETIC.includes(node.getOperatorToken().getText()) &&
      isConstantExpression(check, node.getLeft()) &&
      isConstantExpression(check, node.getRight())
    );
  if (!Syntax.isIdentifier(node)) return false;
  const declaration = declarationOf(node);
  return declaration !== undefined && isConstant(check, declaration);
}
