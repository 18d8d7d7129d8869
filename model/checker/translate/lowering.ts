/**
 * Lowers the functions of the rule language to IR, one rule or condition at a time. Helpers are substituted: an
 * expression has no effect, so it does not matter when an argument is evaluated. A procedure writes, so its arguments
 * are bound by `let` first, as a call by value does.
 */
import type { FunctionDeclaration, Identifier, Node } from 'ts-morph';
import { Node as Syntax, SyntaxKind } from 'ts-morph';
import { declarationOf, recordTypeOf } from '../language/check';
import { languageFunction } from '../language/rule-sources';
import { type Comparison, type Expr, isCondition, type Origin, type Statement, TranslationError } from './ir';

/**
 * What the parameters and consts of one inlined function stand for; records (d, b, s) stand for themselves and are not
 * in it.
 */
type Scope = Map<Node, Expr>;

const COMPARISONS: readonly string[] = ['===', '!==', '<', '<=', '>', '>='];
const ARITHMETIC: readonly string[] = ['+', '-', '%'];

const isSimple = (expr: Expr): boolean =>
  expr.kind === 'design' ? expr.indices.length === 0 : ['int', 'bool', 'local', 'bound'].includes(expr.kind);

export class Lowering {
  private readonly originOf: (node: Node) => Origin;
  private readonly names = new Set<string>();

  constructor(originOf: (node: Node) => Origin) {
    this.originOf = originOf;
  }

  rule(declaration: FunctionDeclaration): Statement[] {
    return this.statements(declaration.getStatements(), this.parameters(declaration));
  }

  /** A condition with parameters, as a rule that is enabled where it holds and writes nothing. */
  guard(declaration: FunctionDeclaration): Statement[] {
    const condition = this.helperBody(declaration, this.parameters(declaration));
    return [{ kind: 'if', condition, yes: [], no: [{ kind: 'reject' }] }];
  }

  private parameters(declaration: FunctionDeclaration): Scope {
    const scope: Scope = new Map();
    for (const parameter of declaration.getParameters()) {
      if (recordTypeOf(parameter.getNameNode()) !== undefined) continue;
      // Parameters come first, so they keep their names.
      scope.set(parameter, { kind: 'local', name: this.fresh(parameter.getName()), type: 'int' });
    }
    return scope;
  }

  condition(declaration: FunctionDeclaration): Expr {
    return this.helperBody(declaration, new Map());
  }

  private fresh(wanted: string): string {
    let name = wanted;
    for (let i = 2; this.names.has(name); i++) name = `${wanted}_${i}`;
    this.names.add(name);
    return name;
  }

  private fail(node: Node, message: string): never {
    throw new TranslationError(this.originOf(node), message);
  }

  private statements(nodes: readonly Node[], scope: Scope): Statement[] {
    return nodes.flatMap((node) => this.statement(node, scope));
  }

  private statement(node: Node, scope: Scope): Statement[] {
    if (Syntax.isBlock(node)) return this.statements(node.getStatements(), scope);
    if (Syntax.isReturnStatement(node)) return [{ kind: 'reject' }];
    if (Syntax.isIfStatement(node)) {
      const otherwise = node.getElseStatement();
      return [
        {
          kind: 'if',
          condition: this.expression(node.getExpression(), scope),
          yes: this.statement(node.getThenStatement(), scope),
          no: otherwise === undefined ? [] : this.statement(otherwise, scope),
        },
      ];
    }
    if (Syntax.isVariableStatement(node))
      return node
        .getDeclarations()
        .flatMap((declaration) =>
          this.bind(
            declaration,
            declaration.getName(),
            this.expression(declaration.getInitializerOrThrow(), scope),
            scope,
          ),
        );
    if (!Syntax.isExpressionStatement(node))
      return this.fail(node, `a ${node.getKindName()} is no statement of the rule language`);
    const effect = node.getExpression();
    if (Syntax.isCallExpression(effect)) return this.procedure(effect.getExpression(), effect.getArguments(), scope);
    if (Syntax.isBinaryExpression(effect) && effect.getOperatorToken().getKind() === SyntaxKind.EqualsToken) {
      const { field, indices } = this.place(effect.getLeft(), scope);
      return [{ kind: 'assign', field, indices, value: this.expression(effect.getRight(), scope) }];
    }
    return this.fail(node, 'a statement of the rule language assigns or calls a procedure');
  }

  /** Makes the name stand for the value that the expression has now. */
  private bind(declaration: Node, wanted: string, value: Expr, scope: Scope): Statement[] {
    if (isSimple(value)) {
      scope.set(declaration, value);
      return [];
    }
    const name = this.fresh(wanted);
    const type = isCondition(value) ? 'bool' : 'int';
    scope.set(declaration, { kind: 'local', name, type });
    return [{ kind: 'let', name, type, value }];
  }

  private procedure(callee: Node, args: readonly Node[], scope: Scope): Statement[] {
    const declaration = this.functionOf(callee);
    if (languageFunction(declaration) === 'requires') {
      const property = this.expression(args[1], scope);
      if (property.kind !== 'int') return this.fail(callee, 'the property of `requires` is a constant');
      return [{ kind: 'require', property: property.value, condition: this.expression(args[2], scope) }];
    }
    const inner: Scope = new Map();
    const bound = declaration.getParameters().flatMap((parameter, i) => {
      if (recordTypeOf(parameter.getNameNode()) !== undefined) return [];
      return this.bind(parameter, parameter.getName(), this.expression(args[i], scope), inner);
    });
    return [...bound, ...this.statements(declaration.getStatements(), inner)];
  }

  private functionOf(callee: Node): FunctionDeclaration {
    const declaration = Syntax.isIdentifier(callee) ? declarationOf(callee) : undefined;
    if (!Syntax.isFunctionDeclaration(declaration))
      return this.fail(callee, `${callee.getText()} is no function of the rule files`);
    return declaration;
  }

  private expression(node: Node, scope: Scope): Expr {
    if (Syntax.isNumericLiteral(node)) return { kind: 'int', value: node.getLiteralValue() };
    if (Syntax.isTrueLiteral(node)) return { kind: 'bool', value: true };
    if (Syntax.isFalseLiteral(node)) return { kind: 'bool', value: false };
    if (Syntax.isParenthesizedExpression(node)) return this.expression(node.getExpression(), scope);
    if (Syntax.isIdentifier(node)) return this.name(node, scope);
    if (Syntax.isPrefixUnaryExpression(node) && node.getOperatorToken() === SyntaxKind.ExclamationToken)
      return { kind: 'not', operand: this.expression(node.getOperand(), scope) };
    if (Syntax.isBinaryExpression(node))
      return this.binary(
        node,
        node.getOperatorToken().getText(),
        this.expression(node.getLeft(), scope),
        this.expression(node.getRight(), scope),
      );
    if (Syntax.isConditionalExpression(node))
      return {
        kind: 'choose',
        condition: this.expression(node.getCondition(), scope),
        yes: this.expression(node.getWhenTrue(), scope),
        no: this.expression(node.getWhenFalse(), scope),
      };
    if (Syntax.isCallExpression(node)) return this.call(node.getExpression(), node.getArguments(), scope);
    return this.read(node, scope);
  }

  private binary(node: Node, operator: string, left: Expr, right: Expr): Expr {
    if (operator === '&&') return { kind: 'and', left, right };
    if (operator === '||') return { kind: 'or', left, right };
    if (COMPARISONS.includes(operator)) return { kind: 'compare', operator: operator as Comparison, left, right };
    if (ARITHMETIC.includes(operator))
      return { kind: 'arithmetic', operator: operator as '+' | '-' | '%', left, right };
    return this.fail(node, `${operator} is no operator of the rule language`);
  }

  /** A parameter or const of this function, or an integer constant of some file. */
  private name(node: Identifier, scope: Scope): Expr {
    const declaration = declarationOf(node);
    const bound = declaration === undefined ? undefined : scope.get(declaration);
    if (bound !== undefined) return bound;
    if (Syntax.isVariableDeclaration(declaration))
      return this.expression(declaration.getInitializerOrThrow(), new Map());
    return this.fail(node, `${node.getText()} is no value of the rule language`);
  }

  private read(node: Node, scope: Scope): Expr {
    if (Syntax.isPropertyAccessExpression(node)) {
      const record = recordTypeOf(node.getExpression());
      if (record === 'DesignConfig') return { kind: 'design', name: node.getName(), indices: [] };
      if (record === 'Bounds') return { kind: 'bound', name: node.getName() };
    }
    if (Syntax.isElementAccessExpression(node)) {
      const table = this.read(node.getExpression(), scope);
      const index = this.expression(node.getArgumentExpressionOrThrow(), scope);
      if (table.kind === 'design') return { ...table, indices: [...table.indices, index] };
    }
    return { kind: 'read', ...this.place(node, scope) };
  }

  private place(node: Node, scope: Scope): { field: string; indices: Expr[] } {
    if (Syntax.isElementAccessExpression(node)) {
      const { field, indices } = this.place(node.getExpression(), scope);
      return { field, indices: [...indices, this.expression(node.getArgumentExpressionOrThrow(), scope)] };
    }
    if (Syntax.isPropertyAccessExpression(node) && recordTypeOf(node.getExpression()) === 'State')
      return { field: node.getName(), indices: [] };
    return this.fail(node, `${node.getText()} is no place in the state`);
  }

  private call(callee: Node, args: readonly Node[], scope: Scope): Expr {
    const declaration = this.functionOf(callee);
    const ofLanguage = languageFunction(declaration);
    if (ofLanguage === 'exists' || ofLanguage === 'every') return this.quantifier(ofLanguage, args, scope);
    const inner: Scope = new Map();
    declaration.getParameters().forEach((parameter, i) => {
      if (recordTypeOf(parameter.getNameNode()) === undefined) inner.set(parameter, this.expression(args[i], scope));
    });
    return this.helperBody(declaration, inner);
  }

  /** Consts, if any, and one return. */
  private helperBody(declaration: FunctionDeclaration, scope: Scope): Expr {
    for (const statement of declaration.getStatements()) {
      if (Syntax.isReturnStatement(statement)) return this.expression(statement.getExpressionOrThrow(), scope);
      if (!Syntax.isVariableStatement(statement)) return this.fail(statement, 'a helper has consts and one return');
      for (const constant of statement.getDeclarations())
        scope.set(constant, this.expression(constant.getInitializerOrThrow(), scope));
    }
    return this.fail(declaration, 'a helper ends with a return');
  }

  private quantifier(kind: 'exists' | 'every', [count, arrow]: readonly Node[], scope: Scope): Expr {
    if (!Syntax.isArrowFunction(arrow)) return this.fail(arrow, 'the condition of exists and every is an arrow');
    const [parameter] = arrow.getParameters();
    const variable = this.fresh(parameter.getName());
    const inner: Scope = new Map(scope).set(parameter, { kind: 'local', name: variable, type: 'int' });
    return { kind, variable, count: this.expression(count, scope), condition: this.expression(arrow.getBody(), inner) };
  }
}
