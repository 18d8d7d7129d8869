/**
 * A model as a folded program: its rules and invariants looked up in the sources by the names of their functions. This
 * is where back ends start.
 */

import { ruleFilePath } from '../language/rule-sources';
import type { Schema, Transient } from '../language/schema-types';
import { extentOf, sizeOf } from '../language/schema-types';
import type { Model } from '../model';
import { type Constants, foldExpression, foldStatements } from './fold';
import type { DesignValue, FieldInfo, InvariantInfo, Program, RuleInfo, SourceProgram } from './ir';
import { sourceProgram } from './source-program';

/** What a back end needs of a model: everything but its packing. */
type Translatable<S extends Transient, D> = Omit<Model<S, D>, 'packing' | 'initial'>;

function fieldsOf(schema: Schema, model: Pick<Translatable<Transient, unknown>, 'bounds'>): FieldInfo[] {
  const { bounds } = model;
  return Object.entries(schema).map(([name, field], number) => ({
    name,
    number,
    over: field.over,
    extents: field.over.map((dimension) => extentOf(dimension, bounds)),
    sort: field.sort.kind,
    size: sizeOf(field.sort, bounds),
  }));
}

function missing(kind: string, name: string, functionName: string): never {
  throw new RangeError(
    `${kind} ${name} is the function ${functionName || '(without a name)'}, which is not among the translated sources: export it from one of the model's rule files`,
  );
}

function rulesOf<S extends Transient, D>(
  model: Translatable<S, D>,
  sources: SourceProgram,
  constants: Constants,
): RuleInfo[] {
  let firstInstance = 0;
  return model.rules.map((rule) => {
    const source = sources.rules[rule.apply.name];
    if (source === undefined) return missing('rule', rule.name, rule.apply.name);
    if (source.params.length !== rule.params.length)
      throw new RangeError(
        `rule ${rule.name} is instantiated over ${rule.params.length} indices, and its function takes ${source.params.length}`,
      );
    const params = rule.params.map((sort, i) => ({
      name: source.params[i],
      sort,
      extent: extentOf(sort, model.bounds),
    }));
    const info: RuleInfo = {
      name: rule.name,
      functionName: source.name,
      event: rule.event,
      origin: source.origin,
      params,
      firstInstance,
      body: foldStatements(source.body, constants),
    };
    firstInstance += params.reduce((product, { extent }) => product * extent, 1);
    return info;
  });
}

function invariantsOf<S extends Transient, D>(
  model: Translatable<S, D>,
  sources: SourceProgram,
  constants: Constants,
): InvariantInfo[] {
  const infos = model.invariants.map((invariant) => {
    const source = sources.conditions[invariant.holds.name];
    if (source === undefined) return missing('invariant', invariant.name, invariant.holds.name);
    const { name, property } = invariant;
    return { name, property, origin: source.origin, condition: foldExpression(source.condition, constants) };
  });
  return infos.sort((a, b) => a.property - b.property);
}

/** The absolute paths of the model's rule files. Throws RangeError for a model that names none. */
export function filesOf<S extends Transient, D>(model: Translatable<S, D>): readonly string[] {
  const files = model.ruleFiles?.();
  if (files === undefined) throw new RangeError('the model does not say in which files its rules are written');
  return files.map(ruleFilePath);
}

/** Folds the model's sources (by default those that it names) for its design and bounds. */
export function programOf<S extends Transient, D>(
  model: Translatable<S, D>,
  sources: SourceProgram = sourceProgram(filesOf(model)),
): Program {
  const constants: Constants = { design: model.config as Record<string, DesignValue>, bounds: model.bounds };
  return {
    bounds: model.bounds,
    fields: fieldsOf(model.schema, model),
    rules: rulesOf(model, sources, constants),
    invariants: invariantsOf(model, sources, constants),
  };
}
