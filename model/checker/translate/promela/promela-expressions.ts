/**
 * Expressions and statements in Promela. `&&`, `||` and `(a -> b : c)` become C's own operators in the generated
 * checker and evaluate only what they need, as the IR asks. There are no quantifiers.
 */
import type { Expr, Statement } from '../ir';
import { expressionText, type Names, type StatementNotation, statementLines } from '../printer';

const INDENTATION = '   ';

function promela(names: Names): StatementNotation {
  return {
    names,
    equal: '==',
    and: '&&',
    or: '||',
    choose: '->',
    assign: '=',
    indentation: INDENTATION,
    quantifier: ({ kind }) => {
      throw new RangeError(`${kind} is no Promela: unroll the program first`);
    },
    requirement: promelaAssertion,
    branch,
  };
}

export function promelaExpression(expr: Expr, names: Names): string {
  return expressionText(expr, promela(names));
}

/**
 * The assertion that a property holds here. Its number stands in the text, because the text is all that SPIN prints of
 * an assertion that fails: `!9` is 0.
 */
export function promelaAssertion(property: number, condition: string): string {
  return `assert(${condition} || !${property})`;
}

/** Statements inside a d_step; each `if` has an `else`, so none of them can block there. */
export function promelaStatements(list: readonly Statement[], names: Names, indent: string): string[] {
  return statementLines(list, promela(names), indent);
}

function branch(condition: string, yes: readonly string[], no: readonly string[]): string[] {
  return ['if', `:: ${condition} ->`, ...orSkip(yes), ':: else ->', ...orSkip(no), 'fi;'];
}

/** An option needs a statement. */
function orSkip(lines: readonly string[]): readonly string[] {
  return lines.length === 0 ? [`${INDENTATION}skip`] : lines;
}
