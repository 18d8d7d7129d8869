/**
 * The intermediate representation between the rules' TypeScript and everything that is generated from it (packed
 * JavaScript, Promela, Murphi). Plain data, so that it can be kept in a file: read once with ts-morph, then folded for
 * a design and bounds as often as needed.
 *
 *   rules/*.ts --front-end.ts--> SourceProgram --fold.ts--> Program --> a back end
 *   (TypeScript)                 (`design` and `bound`      (integers in their place,
 *                                 nodes; cached)             dead branches gone)
 *
 * Helpers and procedures are inlined. What is left is what every target language has: integers, truth values, fields
 * with indices, `if`, assignment, and bounded quantifiers, which a back end prints as they are or has unrolled
 * (`unrollProgram` in fold.ts).
 */
import type { Bounds, Dimension, IndexSort, Sort } from '../language/schema-types';

export type Comparison = '===' | '!==' | '<' | '<=' | '>' | '>=';

/**
 * An expression; none has an effect, and `and`, `or` and `choose` evaluate only what they need: `depth > 0 &&
 * body[depth - 1] === 1` reads nothing where depth is 0. A back end whose language is strict has to keep that (Promela:
 * `->` and nested conditions; Murphi's & and | are lazy).
 */
export type Expr =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  /**
   * A parameter of the rule, a `let`, or the variable of an enclosing quantifier. No name hides another one of the rule
   * or invariant.
   */
  | { readonly kind: 'local'; readonly name: string; readonly type: 'int' | 'bool' }
  /** One value of the state; as many indices as the field has dimensions. */
  | { readonly kind: 'read'; readonly field: string; readonly indices: readonly Expr[] }
  | { readonly kind: 'not'; readonly operand: Expr }
  | { readonly kind: 'and' | 'or'; readonly left: Expr; readonly right: Expr }
  /** `===` and `!==` also compare two truth values. */
  | { readonly kind: 'compare'; readonly operator: Comparison; readonly left: Expr; readonly right: Expr }
  /** `%` has a positive constant on its right once folded. No result is ever negative where it is used. */
  | { readonly kind: 'arithmetic'; readonly operator: '+' | '-' | '%'; readonly left: Expr; readonly right: Expr }
  | { readonly kind: 'choose'; readonly condition: Expr; readonly yes: Expr; readonly no: Expr }
  /** For some / every value of the variable in 0..count-1. `count` is an `int` once folded. */
  | {
      readonly kind: 'exists' | 'every';
      readonly variable: string;
      readonly count: Expr;
      readonly condition: Expr;
    }
  /**
   * A constant of the design: an integer, or one element of a table of integers, with as many indices as the table has
   * dimensions. Only in a SourceProgram: folding leaves none.
   */
  | { readonly kind: 'design'; readonly name: string; readonly indices: readonly Expr[] }
  /** A constant of the bounds. Only in a SourceProgram. */
  | { readonly kind: 'bound'; readonly name: string };

/** What a design says under one name: an integer, or a table of integers with one dimension or more. */
export type DesignValue = number | readonly DesignValue[];

export type Statement =
  /** Binds the value that the expression has now; the local never changes. */
  | { readonly kind: 'let'; readonly name: string; readonly type: 'int' | 'bool'; readonly value: Expr }
  /** `return false`: the rule is not enabled. Never after an `assign` or a `require` on any path. */
  | { readonly kind: 'reject' }
  | {
      readonly kind: 'if';
      readonly condition: Expr;
      readonly yes: readonly Statement[];
      readonly no: readonly Statement[];
    }
  | { readonly kind: 'assign'; readonly field: string; readonly indices: readonly Expr[]; readonly value: Expr }
  /**
   * This application of the rule violates the property unless the condition holds here. The first one that fails in a
   * path counts.
   */
  | { readonly kind: 'require'; readonly property: number; readonly condition: Expr };

/** Where something was written, for messages and for comments in exports. */
export interface Origin {
  /** For ours from the package on (`model/rules/entry.ts`), else from the folder that the rule files have in common. */
  readonly file: string;
  readonly line: number;
}

/** A TypeScript function of the rule language; its parameters after `d, b, s`. */
export interface SourceFunction {
  readonly name: string;
  readonly origin: Origin;
  readonly params: readonly string[];
  readonly body: readonly Statement[];
}

export interface SourceCondition {
  readonly name: string;
  readonly origin: Origin;
  readonly condition: Expr;
}

/** What is read from the sources: the same for every design and all bounds. Keyed by function name. */
export interface SourceProgram {
  readonly rules: Readonly<Record<string, SourceFunction>>;
  readonly conditions: Readonly<Record<string, SourceCondition>>;
}

/** A field of the state. Values are 0..size-1 (a bool is 0 or 1); index i runs over 0..extents[i]-1. */
export interface FieldInfo {
  readonly name: string;
  /** Place in the schema, from 0. */
  readonly number: number;
  readonly over: readonly Dimension[];
  readonly extents: readonly number[];
  readonly sort: Sort['kind'];
  readonly size: number;
}

interface RuleParameter {
  /** Name of the `local` in the body. */
  readonly name: string;
  /** The sort `thread` has the values 0..tasks-1 (user tasks) and tasks+c (the idle thread of CPU c). */
  readonly sort: IndexSort;
  readonly extent: number;
}

export interface RuleInfo {
  /** The name of the rule in traces (`load-kernel-cr3`); `functionName` is the TypeScript function's. */
  readonly name: string;
  readonly functionName: string;
  readonly event: boolean;
  readonly origin: Origin;
  readonly params: readonly RuleParameter[];
  /**
   * Number of the rule's first instance; the others follow, arguments in lexicographic order (see model.ts).
   */
  readonly firstInstance: number;
  /** `[{reject}]` where the design or the bounds disable the rule altogether. */
  readonly body: readonly Statement[];
}

export interface InvariantInfo {
  readonly name: string;
  readonly property: number;
  readonly origin: Origin;
  readonly condition: Expr;
}

/**
 * A model with its design and bounds folded in: all that a back end needs, but for the initial state, which is
 * `model.initial()`.
 */
export interface Program {
  readonly bounds: Bounds;
  readonly fields: readonly FieldInfo[];
  readonly rules: readonly RuleInfo[];
  /** In the order in which violations are judged: ascending property number. */
  readonly invariants: readonly InvariantInfo[];
}

/** Is the value of the expression a truth value? (A field of sort bool is an integer, 0 or 1.) */
export function isCondition(expr: Expr): boolean {
  switch (expr.kind) {
    case 'bool':
    case 'not':
    case 'and':
    case 'or':
    case 'compare':
    case 'exists':
    case 'every':
      return true;
    case 'local':
      return expr.type === 'bool';
    case 'choose':
      return isCondition(expr.yes);
    default:
      return false;
  }
}

/**
 * A construct that the translator cannot express; model/checker/language says what to write instead, this only where it
 * stands.
 */
export class TranslationError extends Error {
  override readonly name = 'TranslationError';
  constructor(origin: Origin, message: string) {
    super(`${origin.file}:${origin.line}: ${message}`);
  }
}
