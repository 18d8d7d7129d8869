/**
 * What a program imports from `pti-check/checker`: the model checker without our machine, for a model of one's own. A
 * model is a schema, rules and invariants in TypeScript; docs/model-checker.md has Peterson's algorithm as one.
 */
import type { LanguageError } from '../../model/checker/language/rule-language';

export { type CompiledOptions, exploreCompiled } from '../../model/checker/compiled/explore-compiled';
export { defineModel, type ModelParts } from '../../model/checker/define-model';
export { every, exists } from '../../model/checker/language/quantifiers';
export { requires } from '../../model/checker/language/requires';
export type { LanguageError } from '../../model/checker/language/rule-language';
export * from '../../model/checker/language/schema-types';
export {
  type Invariant,
  instanceName,
  type Model,
  type PartialOrder,
  type Rule,
  type RuleInstance,
  ruleInstances,
} from '../../model/checker/model';
export { type Exploration, type ExploreOptions, explore, type Progress } from '../../model/checker/search/explore';
export { type BoundState, makePacking, type PackedCell, type Packing } from '../../model/checker/search/packing';
export { EXPORT_LANGUAGES, type ExportLanguage, exportModel } from '../../model/checker/translate/export';

type RuleLanguage = typeof import('../../model/checker/language/rule-language');

/**
 * Everything outside the rule language in these files and in what they call, in the order of files and lines. Each is
 * an absolute path or a file: URL of TypeScript; throws RangeError for anything else, and Error for a file that there
 * is not.
 */
export function checkRuleLanguage(files: readonly (string | URL)[]): LanguageError[] {
  // biome-ignore lint/style/noCommonJs: loaded late, because the compiler of TypeScript takes longer to load than a small model to search
  const language = require('../../model/checker/language/rule-language') as RuleLanguage;
  return language.checkRuleLanguage(files);
}
