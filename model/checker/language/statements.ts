/**
 * Statements of the rule language: const, if/else, assignment to a place in the state, a call of a procedure, and
 * `return false`, which a rule has only where nothing has been written yet: a disabled rule leaves no trace, so the
 * search needs no copy of the state to go back to.
 */
import type { FunctionDeclaration, IfStatement, Node, ReturnStatement, VariableStatement } from 'ts-morph';
import { Node as Syntax, SyntaxKind, VariableDeclarationKind } from 'ts-morph';
import type { Check, FunctionKind } from './check';
import { kindOf } from './check';
import { Expressions } from './expressions';

const LOOP = 'no loops: ask with exists or every, or write one rule with one more parameter';

const FORBIDDEN: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.ForStatement, LOOP],
  [SyntaxKind.ForOfStatement, LOOP],
  [SyntaxKind.ForInStatement, LOOP],
  [SyntaxKind.WhileStatement, LOOP],
  [SyntaxKind.DoStatement, LOOP],
  [SyntaxKind.SwitchStatement, 'no switch: write if and else if'],
  [
    SyntaxKind.ThrowStatement,
    'no throw: a rule that does not apply returns false; a violated property is a number in s.failed',
  ],
  [SyntaxKind.TryStatement, 'no try: nothing in a rule throws'],
  [SyntaxKind.FunctionDeclaration, 'no nested functions: write a top-level helper'],
  [SyntaxKind.ClassDeclaration, 'no classes: write top-level functions'],
  [SyntaxKind.EnumDeclaration, 'no enum: write top-level integer constants'],
  [SyntaxKind.Block, 'no block of its own: write its statements without braces'],
  [SyntaxKind.EmptyStatement, 'an empty statement: remove the semicolon'],
  [SyntaxKind.LabeledStatement, 'no labels: write if and else'],
  [SyntaxKind.DebuggerStatement, 'no debugger statement: single-step with `pti-check replay --step`'],
]);

export class Statements {
  private readonly check: Check;
  private readonly kind: FunctionKind;
  private readonly owner: FunctionDeclaration;
  private readonly expressions: Expressions;

  constructor(check: Check, owner: FunctionDeclaration) {
    this.check = check;
    this.owner = owner;
    this.kind = kindOf(owner);
    this.expressions = new Expressions(check, owner);
  }

  /**
   * The whole body. A helper is a value, so it ends with one `return`; a rule that writes nothing would be a step to
   * the same state.
   */
  body(): void {
    const statements = this.owner.getStatements();
    const written = this.sequence(statements, false);
    if (this.kind === 'rule' && !written)
      this.check.report(
        this.owner,
        `rule ${this.owner.getName()} writes nothing: a rule changes the state, or is a helper`,
      );
    if (this.kind === 'helper' && !Syntax.isReturnStatement(statements.at(-1))) {
      this.check.report(
        this.owner,
        `helper ${this.owner.getName()} does not end with a return: a helper returns one expression`,
      );
    }
  }

  /** Answers whether anything may have been written after the statements. */
  private sequence(statements: readonly Node[], written: boolean): boolean {
    return statements.reduce((before, statement) => this.statement(statement, before), written);
  }

  private statement(node: Node, written: boolean): boolean {
    if (Syntax.isVariableStatement(node)) this.constants(node);
    else if (Syntax.isIfStatement(node)) return this.choice(node, written);
    else if (Syntax.isReturnStatement(node)) this.result(node, written);
    else if (Syntax.isExpressionStatement(node)) return this.effect(node.getExpression()) || written;
    else
      this.check.report(
        node,
        FORBIDDEN.get(node.getKind()) ??
          `${node.getKindName()} is no statement of the rule language: there are const, if, assignment, calls and return false`,
      );
    return written;
  }

  private constants(node: VariableStatement): void {
    if (node.getDeclarationKind() !== VariableDeclarationKind.Const)
      this.check.report(node, 'only const: a value that changes is a field of the state');
    for (const declaration of node.getDeclarations()) {
      const initializer = declaration.getInitializer();
      if (!Syntax.isIdentifier(declaration.getNameNode()))
        this.check.report(declaration, 'no destructuring: write one const for each value');
      else if (initializer === undefined)
        this.check.report(declaration, `${declaration.getName()} has no value: initialize it`);
      else this.expressions.value(initializer);
    }
  }

  private choice(node: IfStatement, written: boolean): boolean {
    this.expressions.condition(node.getExpression());
    const yes = this.branch(node.getThenStatement(), written);
    const otherwise = node.getElseStatement();
    const no = otherwise === undefined ? written : this.branch(otherwise, written);
    return yes || no;
  }

  private branch(node: Node, written: boolean): boolean {
    return Syntax.isBlock(node) ? this.sequence(node.getStatements(), written) : this.statement(node, written);
  }

  private result(node: ReturnStatement, written: boolean): void {
    const expression = node.getExpression();
    switch (this.kind) {
      case 'rule':
        if (expression === undefined || !Syntax.isFalseLiteral(expression))
          this.check.report(node, 'a rule returns false or nothing: write if and else instead of an early return');
        else if (written)
          this.check.report(
            node,
            'return false after a write: a rule that does not apply must not have changed the state; test first',
          );
        return;
      case 'helper':
        if (node.getParent() !== this.owner.getBody() || expression === undefined)
          this.check.report(node, 'a helper returns one expression, at its end: write condition ? a : b');
        else if (Syntax.isFalseLiteral(expression))
          this.check.report(node, 'return false belongs to rules: a helper computes its answer');
        else this.expressions.condition(expression);
        return;
      default:
        this.check.report(
          node,
          'a procedure returns nothing, and `return false` belongs to rules: test in the rule, before the call',
        );
    }
  }

  /** An assignment or a call of a procedure; answers whether it writes. */
  private effect(node: Node): boolean {
    if (Syntax.isCallExpression(node)) this.expressions.call(node, 'procedure');
    else if (Syntax.isBinaryExpression(node) && node.getOperatorToken().getKind() === SyntaxKind.EqualsToken)
      this.assignment(node.getLeft(), node.getRight());
    else this.expressions.value(node);
    return true;
  }

  private assignment(target: Node, value: Node): void {
    if (this.kind === 'helper')
      this.check.report(
        target,
        'a helper that returns a value does not write: make it a procedure, or assign in the rule',
      );
    if (rootName(target) !== 'State')
      this.check.report(
        target,
        `${target.getText()} is not a place in the state: assign to s.field or to an element of it`,
      );
    else this.expressions.place(target);
    this.expressions.value(value);
  }
}

/** The type name of the parameter that an assignment goes through. */
function rootName(target: Node): string | undefined {
  let at = target;
  while (Syntax.isElementAccessExpression(at) || Syntax.isPropertyAccessExpression(at)) at = at.getExpression();
  if (!Syntax.isIdentifier(at) || at === target) return undefined;
  const declaration = at.getSymbol()?.getDeclarations()[0];
  return Syntax.isParameterDeclaration(declaration) ? declaration.getTypeNode()?.getText() : undefined;
}
