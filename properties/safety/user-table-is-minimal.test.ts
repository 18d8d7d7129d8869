/**
 * Promise: a store to a page of a user table is judged by what it changes in the kernel's addresses, with the verdict
 * that a check of all tables gives.
 */
import { designImage } from '../designs/images';
import { bootGuest } from '../monitor/guest';
import { Monitor } from '../monitor/monitor';
import { USER_TABLE_IS_MINIMAL } from './user-table-is-minimal';

/** Free pages of the guest's RAM. */
const TABLE = 0x3fc000,
  LOWER_TABLE = 0x3fd000;
/** Two megabytes with everything in them. */
const SECRET = 0;
const PRESENT = 1,
  USER = 4,
  LARGE = 0x80;
/** Entries of a root: one of the user's addresses, and one of the kernel's that mainline leaves empty. */
const USER_ENTRY = 7,
  KERNEL_ENTRY = 300;

function observed() {
  const image = designImage('mainline');
  if (image === undefined) throw new Error('mainline is gone');
  const { machine, view } = bootGuest(image, { cpus: 1, tasks: 2, mms: 2 });
  const [cpu] = machine.cpus;
  const monitor = new Monitor(view, [USER_TABLE_IS_MINIMAL]);
  monitor.attach();
  /** A store of the kernel to an entry of a table, and the verdict. */
  const store = (table: number, entry: number, value: number) => {
    machine.memory.write32At(table + 8 * entry, value);
    if (monitor.pages.why(table) !== 0) monitor.watchedStore(cpu, table + 8 * entry, 8, 0, 0);
    return monitor.violation?.message;
  };
  /** Of all tables as they are now. */
  const whole = () => {
    const fresh = new Monitor(view, [USER_TABLE_IS_MINIMAL]);
    fresh.attach();
    return fresh.violation?.message;
  };
  return { machine, monitor, view, roots: [0, 1].map((mm) => view.userRoot(mm)), store, whole };
}

test("the user's own addresses are nobody's business", () => {
  const { roots, store, whole } = observed();
  expect(store(roots[0], USER_ENTRY, TABLE | PRESENT | USER)).toBeUndefined();
  expect(store(TABLE, 0, SECRET | PRESENT | USER)).toBeUndefined();
  expect(whole()).toBeUndefined();
});

test.each([0, 1])(
  'what comes into the table of address space %d page by page is found when it maps something',
  (mm) => {
    const { roots, store, whole } = observed();
    expect(store(roots[mm], KERNEL_ENTRY, TABLE | PRESENT)).toBeUndefined();
    expect(store(TABLE, 2, LOWER_TABLE | PRESENT)).toBeUndefined();
    expect(store(LOWER_TABLE, 3, SECRET | LARGE | PRESENT)).toMatch(`user table of address space ${mm} maps`);
    expect(store(LOWER_TABLE, 3, SECRET | LARGE | PRESENT)).toBe(whole());
  },
);

test('a table that is filled before it is linked is judged when it is linked', () => {
  const { roots, store, whole } = observed();
  expect(store(LOWER_TABLE, 3, SECRET | LARGE | PRESENT)).toBeUndefined();
  expect(store(TABLE, 2, LOWER_TABLE | PRESENT)).toBeUndefined();
  expect(store(roots[1], KERNEL_ENTRY, TABLE | PRESENT)).toMatch('is of no kind that a user table may map');
  expect(store(roots[1], KERNEL_ENTRY, TABLE | PRESENT)).toBe(whole());
});

test('a page that has left the tables, also by a rollback, is asked for no more', () => {
  const { machine, monitor, roots, store } = observed();
  const mark = machine.mark();
  store(roots[0], KERNEL_ENTRY, TABLE | PRESENT);
  store(TABLE, 2, LOWER_TABLE | PRESENT);
  machine.rollback(mark);
  monitor.forget();
  expect(store(LOWER_TABLE, 3, SECRET | LARGE | PRESENT)).toBeUndefined();
  // It is a table again, and what it has got meanwhile counts.
  expect(store(TABLE, 2, LOWER_TABLE | PRESENT)).toBeUndefined();
  expect(store(roots[0], KERNEL_ENTRY, TABLE | PRESENT)).toMatch('is of no kind that a user table may map');
});
