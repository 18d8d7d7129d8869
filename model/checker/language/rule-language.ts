/**
 * Reads rule sources and rejects whatever is outside the rule language, so that a translator (packed code, Promela,
 * Murphi) never meets a construct that it cannot express. Each error names file, line and what to write instead.
 * Starting from the functions of the given files, everything that they call in the sources is checked too. Left out:
 * whether an index is in range, which `guardedModel` finds by running.
 */
import type { FunctionDeclaration, SourceFile } from 'ts-morph';
import type { Check, LanguageError } from './check';
import { errorAt, speaksTheLanguage } from './check';
import { checkSignature, checkTopLevel } from './declarations';
import { openRuleFiles } from './rule-project';
import { ruleFilePath, sourcesOf } from './rule-sources';
import { Statements } from './statements';

export type { LanguageError } from './check';

/** Functions on a cycle of calls; each is reported once. */
function recursive(calls: ReadonlyMap<FunctionDeclaration, ReadonlySet<FunctionDeclaration>>): FunctionDeclaration[] {
  const reaches = (from: FunctionDeclaration, target: FunctionDeclaration): boolean => {
    const met = new Set<FunctionDeclaration>();
    const open = [from];
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      for (const callee of calls.get(at) ?? []) {
        if (callee === target) return true;
        if (!met.has(callee)) open.push(callee);
        met.add(callee);
      }
    }
    return false;
  };
  return [...calls.keys()].filter((declaration) => reaches(declaration, declaration));
}

/** Checks files that are open in a project already. */
export function checkSourceFiles(files: readonly SourceFile[]): LanguageError[] {
  const errors: LanguageError[] = [];
  const calls = new Map<FunctionDeclaration, Set<FunctionDeclaration>>();
  const open = new Set(files.flatMap((file) => file.getFunctions().filter(speaksTheLanguage)));
  const check: Check = {
    sources: sourcesOf(files.map((file) => file.getFilePath())),
    report: (node, message) => void errors.push(errorAt(node, message)),
    calls(caller, callee) {
      calls.set(caller, (calls.get(caller) ?? new Set()).add(callee));
      open.add(callee);
    },
  };
  for (const file of files) checkTopLevel(check, file);
  // The set grows while it is walked: called functions come at its end.
  for (const declaration of open) {
    checkSignature(check, declaration);
    new Statements(check, declaration).body();
  }
  for (const declaration of recursive(calls)) {
    check.report(
      declaration,
      `${declaration.getName()} calls itself, directly or through others: a translator inlines helpers; write exists or every, or one more field`,
    );
  }
  return errors.sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
}

/**
 * Everything outside the rule language in these files and in what they call, in the order of files and lines. Each is
 * an absolute path or a file: URL of TypeScript; throws RangeError for anything else, and Error for a file that there
 * is not.
 */
export function checkRuleLanguage(files: readonly (string | URL)[]): LanguageError[] {
  const paths = files.map(ruleFilePath);
  const project = openRuleFiles(paths);
  return checkSourceFiles(paths.map((file) => project.getSourceFileOrThrow(file)));
}
