/**
 * A model in the language of another model checker, with the heading that says what it is and how it is run.
 */
import type { Transient } from '../language/schema-types';
import { instanceName, type Model } from '../model';
import { type AigerWords, toAiger } from './aiger/to-aiger';
import { initialValues } from './guarded-rules';
import { toMurphi } from './murphi/to-murphi';
import { programOf } from './program';
import { toPromela } from './promela/to-promela';

/** The languages of other model checkers that a model can be exported to. */
export const EXPORT_LANGUAGES = ['promela', 'murphi', 'aiger'] as const;
/** `promela` for SPIN, `murphi` for rumur, `aiger` for hardware model checkers and SAT solvers. */
export type ExportLanguage = (typeof EXPORT_LANGUAGES)[number];

/** SPIN drops variables that are never read unless told not to (-o2), and would count fewer states. */
const HOW_TO_RUN: Readonly<Record<ExportLanguage, readonly string[]>> = {
  promela: [
    'Exhaustive search, with the state counts of pti-check verify:',
    '  spin -o2 -a model.pml && gcc -O3 -DSAFETY -DNOREDUCE -o pan pan.c && ./pan -m1000000',
    'An assertion that fails ends in the number of the property: `|| !9`.',
  ],
  murphi: [
    'Exhaustive search, with the state counts of pti-check verify:',
    '  rumur --deadlock-detection stuck --symmetry-reduction off --output model.c model.m',
    '  gcc -std=c11 -O3 -march=native -mcx16 -o model model.c -lpthread && ./model',
  ],
  aiger: [
    'A latch is one bit of one value. The inputs are the number of the rule that is tried, in binary; where it is not',
    'enabled, and with a number that no rule has, the state stays. Each bad output is named by the property that it violates.',
    'It is the AIGER of which scripts/check-certificate.sh shows with a SAT solver that a certificate is an invariant.',
  ],
};

/** The model as the text of a file. `design` is its name, for the heading. */
export function exportModel<S extends Transient, D>(model: Model<S, D>, design: string, to: ExportLanguage): string {
  const bounds = Object.entries(model.bounds).map(([name, value]) => `${name} ${value}`);
  const heading = [
    `The abstract machine of the design ${design}, written by pti-check export --to ${to}.`,
    `Bounds: ${bounds.join(', ')}.`,
    ...HOW_TO_RUN[to],
  ];
  const program = programOf(model);
  const initial = initialValues(model.initial());
  const property = (number: number) => propertyName(model, number);
  switch (to) {
    case 'promela':
      return toPromela(program, initial, heading);
    case 'murphi':
      return toMurphi(program, initial, heading, property);
    case 'aiger':
      return toAiger(program, initial, { heading, property, instance: instanceNames(model) });
  }
}

function instanceNames<S extends Transient, D>({ bounds }: Model<S, D>): AigerWords['instance'] {
  return ({ name, params }, args) => instanceName({ rule: name, params: params.map(({ sort }) => sort), args }, bounds);
}

function propertyName<S extends Transient, D>(model: Model<S, D>, property: number): string {
  const invariant = model.invariants.find((one) => one.property === property);
  return model.propertyName?.(property) ?? invariant?.name ?? `property-${property}`;
}
