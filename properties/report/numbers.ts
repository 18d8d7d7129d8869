/** How numbers are written for people. Independent of the locale, so that two machines print the same. */

/** 1234567 as 1,234,567. */
export function grouped(value: number): string {
  return Math.round(value)
    .toString()
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 step`, `2 steps`; an irregular plural is given. */
export function counted(count: number, one: string, many = `${one}s`): string {
  return `${grouped(count)} ${count === 1 ? one : many}`;
}
