/**
 * The text that replaces a state by the one that stands for all its renamings.
 */
import type { KernelShape } from './kernel';
import { at, listed, number, range } from './source-text';

/**
 * `rename(batch, position, images, ranks)`: the renaming that comes first, by the ranks of what its components become:
 * that of CPU 0 alone decides nearly always, so the others are looked at only where it does not. Where all ranks are
 * equal the states are equal, but for collisions of a hash, which the numbers then decide.
 */
export function renamerText({ slots, renamings, rows }: KernelShape): string {
  if (renamings.length === 0) return 'function canonical() { return true; }';
  const { words } = slots;
  const all = [...slots.cpus, ...slots.threads, slots.globals];
  const size = rows[rows.length - 1];
  const row = (renaming: number, component: number) => `${renaming * size + rows[component]} + a${component}`;
  const tried = renamings.map((images, renaming) => {
    const head = images.indexOf(0);
    const rest = range(all.length)
      .filter((component) => component !== head)
      .sort((a, b) => images[a] - images[b]);
    const image = range(words).map((w) => {
      const here = range(all.length).filter((component) => all[images[component]].word === w);
      return ['1', ...here.map((component) => `images[${row(renaming, component)}]`)].join(' | ');
    });
    const ranks = rest
      .map((component) => `hash = imul(hash ^ ranks[${row(renaming, component)}], 0x9e3779b1); hash ^= hash >>> 15;`)
      .join(' ');
    return `
  if (images[${row(renaming, head)}] < 0) return false;
  rank = ranks[${row(renaming, head)}];
  if (rank <= first) {
    ${image.map((text, w) => `const x${w} = ${text};`).join(' ')}
    if ((${range(words)
      .map((w) => `x${w}`)
      .join(' | ')}) < 0) return false;
    hash = 0; ${ranks}
    if (rank < first || hash < second || hash === second && ${lessText(words)}) {
      first = rank; second = hash; ${listed(words, (w) => `m${w} = x${w};`, ' ')}
    }
  }`;
  });
  return `
function rename(batch, position, images, ranks) {
  ${listed(words, (w) => `const w${w} = ${at('batch', 'position', w)};`, ' ')}
  ${all.map((slot, component) => `const a${component} = ${number(slot)};`).join(' ')}
  let first = 0x7fffffff, second = 0x7fffffff, rank = 0, hash = 0;
  ${listed(words, (w) => `let m${w} = 0x7fffffff;`, ' ')}
  ${tried.map((text) => `{${text}\n  }`).join('\n  ')}
  ${listed(words, (w) => `${at('batch', 'position', w)} = m${w};`, ' ')}
  return true;
}
function canonical(batch, position, memory) { return rename(batch, position, memory[2], memory[3]); }`;
}

/** Is x less than m, word by word? */
function lessText(words: number, w = 0): string {
  if (w === words - 1) return `x${w} < m${w}`;
  return `(x${w} < m${w} || x${w} === m${w} && ${lessText(words, w + 1)})`;
}
