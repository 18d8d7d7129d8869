/**
 * What a program imports from `pti-check/checker`: the model checker without our machine, for a model of one's own. A
 * model is a schema, rules and invariants in TypeScript; docs/model-checker.md has Peterson's algorithm as one.
 */
export { type CompiledOptions, exploreCompiled } from '../../model/checker/compiled/explore-compiled';
export { defineModel, type ModelParts } from '../../model/checker/define-model';
export { every, exists } from '../../model/checker/language/quantifiers';
export { requires } from '../../model/checker/language/requires';
export { checkRuleLanguage, type LanguageError } from '../../model/checker/language/rule-language';
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
