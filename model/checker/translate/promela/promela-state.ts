/**
 * The state in Promela. A field that is only ever read and written at constant indices (those of a CPU: each option of
 * the loop is about one CPU) becomes scalars, which SPIN keeps as bit fields; a field with a computed index (that of
 * the running thread, or of its innermost context) needs an array. The elements of an array of numbers take at least a
 * byte each, those of an array of records are bit fields again: contexts are records, which makes SPIN about 15 %
 * faster on millions of states. Promela has arrays of one dimension only.
 */
import type { InitialValues } from '../guarded-rules';
import type { Expr, FieldInfo } from '../ir';
import type { Names } from '../printer';
import { promelaExpression } from './promela-expressions';

/** Words that no name may be: Promela's, and those that SPIN's generated C gives a meaning inside an expression. */
const RESERVED: ReadonlySet<string> = new Set(
  (
    'active assert atomic bit bool break byte c_code c_decl c_expr c_state c_track chan cond_expr d_step D_proctype do ' +
    'else empty enabled eval false fi for full get_priority goto hidden if in init inline int len local ltl mtype nempty ' +
    'never nfull notrace np_ od of pc_value pid printf printm priority proctype provided return run select ' +
    'set_priority short show skip STDIN timeout trace true typedef unless unsigned until weakuntil xr xs now this'
  ).split(' '),
);

/** The name itself where it may be used, otherwise with a mark. */
export function promelaName(name: string): string {
  return RESERVED.has(name) ? `${name}_` : name;
}

/** Bits that hold 0..size-1. */
function bitsFor(size: number): number {
  return Math.max(1, Math.ceil(Math.log2(size)));
}

/** Smallest type of an element of an array, or of a local. */
export function promelaType(size: number): string {
  if (size <= 2) return 'bit';
  if (size <= 256) return 'byte';
  if (size <= 32_768) return 'short';
  throw new RangeError(`expected a field with at most 32768 values, found one with ${size}`);
}

const constantOf = (expr: Expr): number | undefined => (expr.kind === 'int' ? expr.value : undefined);

/** Place of an element among those of a field, as an expression where an index is none. */
function flatIndex(field: FieldInfo, indices: readonly Expr[]): Expr {
  return indices.reduce<Expr>(
    (sum, index, i) => {
      const [high, low] = [constantOf(sum), constantOf(index)];
      if (high !== undefined && low !== undefined) return { kind: 'int', value: high * field.extents[i] + low };
      const scaled = scale(sum, field.extents[i]);
      return high === 0 ? index : plus(scaled, index);
    },
    { kind: 'int', value: 0 },
  );
}

/** The IR has no product; a sum of reads is what an index can be made of. */
function scale(expr: Expr, by: number): Expr {
  if (expr.kind === 'int') return { kind: 'int', value: expr.value * by };
  return Array.from({ length: by - 1 }).reduce<Expr>((sum) => plus(sum, expr), expr);
}

function plus(left: Expr, right: Expr): Expr {
  return right.kind === 'int' && right.value === 0 ? left : { kind: 'arithmetic', operator: '+', left, right };
}

function elementsOf(field: FieldInfo): number {
  return field.extents.reduce((product, extent) => product * extent, 1);
}

/** The declared name of every element of a scalar field: `user_0`, `running_1`, or the field's own where it has one. */
function scalarName(field: FieldInfo, element: number): string {
  return field.extents.length === 0 ? promelaName(field.name) : `${field.name}_${element}`;
}

export class PromelaState implements Names {
  private readonly fields: ReadonlyMap<string, FieldInfo>;
  private readonly computed: ReadonlySet<string>;
  /** Fields of the records, by the name of the array. */
  private readonly records = new Map<string, FieldInfo[]>();

  /** `computed` are the fields with an index that is no constant somewhere. */
  constructor(fields: readonly FieldInfo[], computed: ReadonlySet<string>) {
    this.fields = new Map(fields.map((field) => [field.name, field]));
    this.computed = computed;
    for (const field of fields.filter((one) => this.isInRecord(one))) {
      const others = this.records.get(recordsName(field)) ?? [];
      this.records.set(recordsName(field), [...others, field]);
    }
  }

  place(name: string, indices: readonly Expr[]): string {
    const field = this.fields.get(name);
    if (field === undefined) throw new RangeError(`the state has no field ${name}`);
    const index = flatIndex(field, indices);
    if (this.isInRecord(field)) return `${recordsName(field)}[${promelaExpression(index, this)}].${promelaName(name)}`;
    if (this.computed.has(name)) return `${promelaName(name)}[${promelaExpression(index, this)}]`;
    if (index.kind !== 'int') throw new RangeError(`${name} was said to have constant indices only`);
    return scalarName(field, index.value);
  }

  /** Locals have names of their own: in the generated C they are global variables. */
  local(name: string): string {
    return `let_${name}`;
  }

  private isInRecord(field: FieldInfo): boolean {
    return field.extents.length > 1 && this.computed.has(field.name);
  }

  /** Declarations with the initial values, but for those of records. */
  declarations(initial: InitialValues): string[] {
    const single = [...this.fields.values()].filter((field) => !this.isInRecord(field));
    return [...single.flatMap((field) => this.declaration(field, initial)), ...this.recordDeclarations()];
  }

  private declaration(field: FieldInfo, initial: InitialValues): string[] {
    const values = valuesOf(field, initial);
    if (this.computed.has(field.name)) {
      const start = values.some((value) => value !== 0) ? ` = { ${values.join(', ')} }` : '';
      return [`${promelaType(field.size)} ${promelaName(field.name)}[${values.length}]${start};`];
    }
    return values.map((value, i) => `unsigned ${scalarName(field, i)} : ${bitsFor(field.size)} = ${value};`);
  }

  private recordDeclarations(): string[] {
    return [...this.records].flatMap(([name, fields]) => [
      `typedef ${name}_record {`,
      fields.map((field) => `  unsigned ${promelaName(field.name)} : ${bitsFor(field.size)}`).join(';\n'),
      '}',
      `${name}_record ${name}[${elementsOf(fields[0])}];`,
    ]);
  }

  /**
   * What a step before the first has to set: Promela has no initial values for single elements of an array of records.
   */
  bootAssignments(initial: InitialValues): string[] {
    return [...this.records].flatMap(([name, fields]) =>
      fields.flatMap((field) =>
        valuesOf(field, initial).flatMap((value, i) =>
          value === 0 ? [] : [`${name}[${i}].${promelaName(field.name)} = ${value};`],
        ),
      ),
    );
  }
}

/** Name of the array of records that a field is in: all with the same indices share one. */
function recordsName(field: FieldInfo): string {
  return `${field.over.join('_')}_values`;
}

function valuesOf(field: FieldInfo, initial: InitialValues): readonly number[] {
  const values = initial(field.name);
  if (values.length === elementsOf(field)) return values;
  throw new RangeError(`${field.name} has ${elementsOf(field)} elements, its initial state ${values.length}`);
}
