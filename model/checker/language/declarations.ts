/**
 * Top level of a rule file, and the signatures of its functions. Tables of rules, with their strings and builders, may
 * stand beside the rules: only functions that take the design, the bounds or the state, and what they call, are code of
 * the language.
 */
import type { FunctionDeclaration, ImportDeclaration, Node, ParameterDeclaration, SourceFile } from 'ts-morph';
import { Node as Syntax, SyntaxKind, VariableDeclarationKind } from 'ts-morph';
import type { Check } from './check';
import { INDEX_TYPES, isValueTypeName, kindOf, RECORD_TYPES } from './check';

const FORBIDDEN: ReadonlyMap<SyntaxKind, string> = new Map([
  [SyntaxKind.ClassDeclaration, 'no classes: the state is a parameter, and functions are top-level'],
  [SyntaxKind.EnumDeclaration, 'no enum: write top-level integer constants'],
  [SyntaxKind.ModuleDeclaration, 'no namespaces: a file is one already'],
]);

const DECLARATIONS: readonly SyntaxKind[] = [
  SyntaxKind.ImportDeclaration,
  SyntaxKind.ExportDeclaration,
  SyntaxKind.FunctionDeclaration,
  SyntaxKind.InterfaceDeclaration,
  SyntaxKind.TypeAliasDeclaration,
  SyntaxKind.VariableStatement,
];

/** Everything of a file but the bodies of its functions. */
export function checkTopLevel(check: Check, file: SourceFile): void {
  for (const statement of file.getStatements()) {
    if (!DECLARATIONS.includes(statement.getKind())) {
      check.report(
        statement,
        FORBIDDEN.get(statement.getKind()) ?? 'a rule file only declares: nothing runs when it is imported',
      );
    } else if (Syntax.isImportDeclaration(statement)) checkImport(check, statement);
    else if (Syntax.isVariableStatement(statement)) {
      if (statement.getDeclarationKind() !== VariableDeclarationKind.Const)
        check.report(statement, 'only const: what changes is a field of the state');
      for (const declaration of statement.getDeclarations()) checkNoArrow(check, declaration.getInitializer());
    }
  }
}

/** Without the types of the language nothing in the file would be a value of it, and every line of it an error. */
function checkImport(check: Check, statement: ImportDeclaration): void {
  const from = statement.getModuleSpecifierValue();
  if (from.startsWith('pti-check') && statement.getModuleSpecifierSourceFile() === undefined)
    check.report(statement, `${from} is not found from here: install pti-check in a folder above this file`);
}

function checkNoArrow(check: Check, value: Node | undefined): void {
  if (!Syntax.isArrowFunction(value) && !Syntax.isFunctionExpression(value)) return;
  if (value.getParameters().some((parameter) => RECORD_TYPES.includes(parameter.getTypeNode()?.getText() ?? ''))) {
    check.report(
      value,
      'rules and helpers are function declarations: write function name(s: State, ...): boolean { ... }',
    );
  }
}

/** Names, parameters and result of a language function. */
export function checkSignature(check: Check, declaration: FunctionDeclaration): void {
  const name = declaration.getName() ?? 'the function';
  if (declaration.isAsync() || declaration.isGenerator())
    check.report(declaration, `${name} is async or a generator: a rule is one atomic step`);
  if (declaration.getTypeParameters().length > 0)
    check.report(declaration, `${name} has type parameters: every value is a small integer`);
  for (const parameter of declaration.getParameters()) checkParameter(check, parameter);
  const kind = kindOf(declaration);
  if (kind === 'foreign')
    check.report(
      declaration,
      `${name} declares no result of the language: a rule returns false | void, a helper number or boolean (or Cpu, Task, Thread, Mm), a procedure void`,
    );
  if (kind === 'rule') checkRuleParameters(check, declaration);
}

function checkParameter(check: Check, parameter: ParameterDeclaration): void {
  const type = parameter.getTypeNode()?.getText();
  if (!Syntax.isIdentifier(parameter.getNameNode()))
    check.report(parameter, 'no destructuring: take s and read its fields');
  else if (parameter.hasInitializer() || parameter.hasQuestionToken() || parameter.isRestParameter()) {
    check.report(parameter, `${parameter.getName()} is optional or a rest: every argument is written out`);
  } else if (type === undefined || !(RECORD_TYPES.includes(type) || isValueTypeName(type))) {
    check.report(
      parameter,
      `${parameter.getName()} is of type ${type ?? 'any'}: a parameter is DesignConfig, Bounds, State, number, boolean, Cpu, Task, Thread or Mm`,
    );
  }
}

/** A rule is called by position, `rule(d, b, s, c, t)`. */
function checkRuleParameters(check: Check, declaration: FunctionDeclaration): void {
  const types = declaration.getParameters().map((parameter) => parameter.getTypeNode()?.getText() ?? 'any');
  const fits =
    RECORD_TYPES.every((type, i) => types[i] === type) &&
    types.slice(RECORD_TYPES.length).every((type) => INDEX_TYPES.includes(type));
  if (!fits)
    check.report(
      declaration,
      `rule ${declaration.getName()} takes (${types.join(', ')}): write (d: DesignConfig, b: Bounds, s: State, c: Cpu, ...), each more a Cpu, Task, Thread or Mm`,
    );
}
