/**
 * The only loops of the rule language: bounded quantification over 0..n-1. The translator unrolls them, and the exports
 * print them as Murphi's own `exists` and `forall`. Their argument is the one place where a rule may have a closure.
 */

/** Does the condition hold for some k in 0..n-1? */
export function exists(n: number, condition: (k: number) => boolean): boolean {
  for (let k = 0; k < n; k++) if (condition(k)) return true;
  return false;
}

/** Does the condition hold for every k in 0..n-1? True when n is 0. */
export function every(n: number, condition: (k: number) => boolean): boolean {
  for (let k = 0; k < n; k++) if (!condition(k)) return false;
  return true;
}
