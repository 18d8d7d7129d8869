/** The tables of docs/properties.md, from the descriptors of the properties and the list of planted bugs. */
import { DESIGNS, MUTANTS } from '../designs/registry';
import { PROPERTIES, shortName } from '../safety/index';
import { MOMENTS, type Moment } from '../safety/moments';
import type { BuiltInProperty } from '../safety/property';

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** What must hold. */
function definitions(): string {
  const rows = PROPERTIES.map(({ number, slug, definition }) => [shortName(number), `\`${slug}\``, definition]);
  return table(['no.', 'slug', 'what must hold'], rows);
}

/** The moments at which a property asks, whatever image it is asked about. */
function judged({ slug, moments, alsoJudged }: BuiltInProperty): string {
  const asked = typeof moments === 'function' ? STATEFUL[slug] : (Object.keys(moments) as Moment[]);
  const order = Object.keys(MOMENTS);
  const phrases = asked.toSorted((a, b) => order.indexOf(a) - order.indexOf(b)).map((moment) => MOMENTS[moment]);
  return [...phrases, ...(alsoJudged === undefined ? [] : [alsoJudged])].join('; ');
}

/** Properties that make their checks for a machine; these are their moments. */
const STATEFUL: Readonly<Record<string, readonly Moment[]>> = {
  'noflush-is-safe': ['gsAccessed', 'cr3Written'],
  'user-table-is-minimal': ['booted', 'storedToTable'],
};

/** When it is judged, in the model or not, and what violates it. */
function judgements(): string {
  const rows = PROPERTIES.map((property) => {
    const designs = DESIGNS.filter((one) => one.property === property.slug).map(({ id }) => `the design \`${id}\``);
    const mutants = MUTANTS.filter((one) => one.property === property.slug).map(({ id }) => `\`${id}\``);
    return [shortName(property.number), judged(property), property.model, [...designs, ...mutants].join(', ')];
  });
  return table(['no.', 'judged', 'model', 'violated by'], rows);
}

/** By the name that their place in the document has. */
export const PROPERTY_TABLES: Readonly<Record<string, () => string>> = {
  definitions,
  judgements,
};

/**
 * The document with its tables written anew: each stands between `<!-- table NAME -->` and `<!-- end -->`.
 * @throws {RangeError} where the document names a table that there is not.
 */
export function withPropertyTables(document: string): string {
  return document.replace(/(<!-- table (\w+) -->\n)[\s\S]*?(<!-- end -->)/g, (_all, begin, name, end) => {
    const write = PROPERTY_TABLES[name];
    if (write === undefined) throw new RangeError(`no table ${name}`);
    return `${begin}\n${write()}\n\n${end}`;
  });
}
