/**
 * TypeScript to IR: opens the rule sources with ts-morph, checks that they stay within the rule language, and lowers
 * every rule and every condition of the state (an invariant). Loaded only when no translation of these sources is
 * cached (source-program.ts): ts-morph takes half a second to start.
 */
import { relative } from 'node:path';
import type { FunctionDeclaration, Node } from 'ts-morph';
import { kindOf, RECORD_TYPES, speaksTheLanguage } from '../language/check';
import { checkSourceFiles } from '../language/rule-language';
import { openRuleFiles } from '../language/rule-project';
import { sourcesOf } from '../language/rule-sources';
import { type Origin, type SourceCondition, type SourceFunction, type SourceProgram, TranslationError } from './ir';
import { Lowering } from './lowering';

/** Parameters after `d, b, s`. */
function indexParameters(declaration: FunctionDeclaration): string[] {
  return declaration
    .getParameters()
    .filter((parameter) => !RECORD_TYPES.includes(parameter.getTypeNode()?.getText() ?? ''))
    .map((parameter) => parameter.getName());
}

/** A condition that others may ask for. */
function isCondition(declaration: FunctionDeclaration): boolean {
  return (
    kindOf(declaration) === 'helper' &&
    declaration.getReturnTypeNode()?.getText() === 'boolean' &&
    declaration.isExported()
  );
}

/** A condition of the whole state, as an invariant is one: no index comes from outside. */
function isStateCondition(declaration: FunctionDeclaration): boolean {
  return isCondition(declaration) && indexParameters(declaration).length === 0;
}

/** A condition with the parameters of a rule, `(d, b, s, c, ...)`. */
function isGuard(declaration: FunctionDeclaration): boolean {
  const types = declaration.getParameters().map((parameter) => parameter.getTypeNode()?.getText() ?? '');
  return isCondition(declaration) && RECORD_TYPES.every((type, i) => types[i] === type);
}

function addOnce<T extends { readonly name: string; readonly origin: Origin }>(to: Record<string, T>, entry: T): void {
  const known = to[entry.name];
  if (known !== undefined)
    throw new TranslationError(
      entry.origin,
      `${entry.name} is declared in ${known.origin.file} too: rules are found by name, so choose another`,
    );
  to[entry.name] = entry;
}

/** Reads rules and conditions from these files, given by their paths. */
export function readSources(files: readonly string[]): SourceProgram {
  const { root } = sourcesOf(files);
  const project = openRuleFiles(files);
  const sources = files.map((file) => project.getSourceFileOrThrow(file));
  const [error] = checkSourceFiles(sources);
  if (error !== undefined) throw new TranslationError({ file: error.file, line: error.line }, error.message);
  const originOf = (node: Node): Origin => ({
    file: relative(root, node.getSourceFile().getFilePath()),
    line: node.getStartLineNumber(),
  });
  const rules: Record<string, SourceFunction> = {};
  const conditions: Record<string, SourceCondition> = {};
  for (const declaration of sources.flatMap((file) => file.getFunctions()).filter(speaksTheLanguage)) {
    const name = declaration.getNameOrThrow();
    const origin = originOf(declaration);
    const lowering = new Lowering(originOf);
    if (kindOf(declaration) === 'rule')
      addOnce(rules, { name, origin, params: indexParameters(declaration), body: lowering.rule(declaration) });
    else if (isStateCondition(declaration))
      addOnce(conditions, { name, origin, condition: lowering.condition(declaration) });
    else if (isGuard(declaration))
      addOnce(rules, { name, origin, params: indexParameters(declaration), body: lowering.guard(declaration) });
  }
  return { rules, conditions };
}
