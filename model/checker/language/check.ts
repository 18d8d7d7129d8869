/**
 * What the parts of the rule-language checker share: where errors go, which functions are still to be checked, and how
 * a name is resolved. Resolution is TypeScript's own, so an alias, a shadowing or a second import of the same helper
 * deceives nobody.
 */
import { relative } from 'node:path';
import type { FunctionDeclaration, Identifier, Node, Type } from 'ts-morph';
import { Node as Syntax } from 'ts-morph';
import type { RuleSources } from './rule-sources';

/** One construct outside the rule language. The message says what to write instead. */
export interface LanguageError {
  /** Relative to the working directory. */
  readonly file: string;
  /** Counted from 1. */
  readonly line: number;
  /** What is there, and what to write instead. */
  readonly message: string;
}

export interface Check {
  /** Where what a rule uses may be declared. */
  readonly sources: RuleSources;
  report(node: Node, message: string): void;
  /** A language function calls another one, which is then checked too, wherever in the sources it is. */
  calls(caller: FunctionDeclaration, callee: FunctionDeclaration): void;
}

/**
 * Types of the parameters through which a rule sees the world; they may be passed on and looked into, but are no
 * values.
 */
export const RECORD_TYPES: readonly string[] = ['DesignConfig', 'Bounds', 'State'];

/** What a rule may be instantiated over. */
export const INDEX_TYPES: readonly string[] = ['Cpu', 'Task', 'Thread', 'Mm'];

const VALUE_TYPES: readonly string[] = ['number', 'boolean', ...INDEX_TYPES];

export type FunctionKind = 'rule' | 'procedure' | 'helper' | 'foreign';

/** A function is what its declared result says. A foreign one is no part of the language. */
export function kindOf(declaration: FunctionDeclaration): FunctionKind {
  const result = declaration.getReturnTypeNode()?.getText().replaceAll(' ', '');
  if (result === 'false|void' || result === 'void|false') return 'rule';
  if (result === 'void') return 'procedure';
  return result !== undefined && VALUE_TYPES.includes(result) ? 'helper' : 'foreign';
}

/**
 * Code of the language is what takes the state, and what answers it about the design and the bounds; whatever that
 * calls joins it. A function that builds a model from its bounds is none of it.
 */
export function speaksTheLanguage(declaration: FunctionDeclaration): boolean {
  const types = declaration.getParameters().map((parameter) => parameter.getTypeNode()?.getText() ?? '');
  return (
    types.includes('State') || (kindOf(declaration) !== 'foreign' && types.some((type) => RECORD_TYPES.includes(type)))
  );
}

export function isValueTypeName(name: string): boolean {
  return VALUE_TYPES.includes(name);
}

/** The declaration that a name stands for, through imports and re-exports. */
export function declarationOf(name: Identifier): Node | undefined {
  const symbol = name.getSymbol();
  return (symbol?.getAliasedSymbol() ?? symbol)?.getDeclarations()[0];
}

/** The record type of a parameter that is the design, the bounds or the state; undefined for anything else. */
export function recordTypeOf(node: Node): string | undefined {
  if (!Syntax.isIdentifier(node)) return undefined;
  const declaration = declarationOf(node);
  if (declaration === undefined || !Syntax.isParameterDeclaration(declaration)) return undefined;
  const type = declaration.getTypeNode()?.getText();
  return type !== undefined && RECORD_TYPES.includes(type) ? type : undefined;
}

/** A small integer or a truth value: all that a state, a const or a result can be. */
export function isValueType(type: Type): boolean {
  if (type.isUnion()) return type.getUnionTypes().every(isValueType);
  return type.isNumber() || type.isNumberLiteral() || isTruthType(type);
}

export function isTruthType(type: Type): boolean {
  if (type.isUnion()) return type.getUnionTypes().every(isTruthType);
  return type.isBoolean() || type.isBooleanLiteral();
}

/** Is it declared where the translator looks? */
export function isInSources(check: Check, node: Node): boolean {
  return check.sources.has(node.getSourceFile().getFilePath());
}

export function errorAt(node: Node, message: string): LanguageError {
  const file = relative(process.cwd(), node.getSourceFile().getFilePath());
  return { file, line: node.getStartLineNumber(), message };
}
