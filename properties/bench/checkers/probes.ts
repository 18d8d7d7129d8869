/**
 * The physical limit of a search: how many slots of 16 bytes, chosen at random and independent of each other, this
 * machine reads a second in a table that no cache holds. A search has to read at least one for every transition. In
 * JavaScript, run as a program of its own (`node probes.js`), and in C where there is a compiler.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

const SLOTS_LOG = 25;
export const TABLE_MIB = 2 ** (SLOTS_LOG + 4 - 20);
const PROBES = 30_000_000;

/** The finaliser of MurmurHash3 (public domain, Austin Appleby): successive numbers become unrelated ones. */
const C_PROBES = `#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static uint32_t mix(uint32_t h) {
  h ^= h >> 16; h *= 0x85ebca6bu; h ^= h >> 13; h *= 0xc2b2ae35u; return h ^ h >> 16;
}
int main(void) {
  size_t bytes = (size_t)16 << ${SLOTS_LOG};
  uint32_t *table = malloc(bytes), found = 0;
  memset(table, 1, bytes);
  struct timespec from, to;
  clock_gettime(CLOCK_MONOTONIC, &from);
  for (uint32_t i = 0; i < ${PROBES}u; i++) {
    const uint32_t *slot = table + 4 * (size_t)(mix(i) >> (32 - ${SLOTS_LOG}));
    found ^= slot[0] ^ slot[1] ^ slot[2] ^ slot[3] ^ i;
  }
  clock_gettime(CLOCK_MONOTONIC, &to);
  double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
  printf("%.0f %u\\n", ${PROBES} / seconds, found);
  return 0;
}
`;

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** What was found is answered, too, or the engine need not read anything. */
function probe(table: Int32Array, from: number, to: number): number {
  let found = 0;
  for (let i = from; i < to; i++) {
    const slot = (mix(i) >>> (32 - SLOTS_LOG)) * 4;
    found ^= table[slot] ^ table[slot + 1] ^ table[slot + 2] ^ table[slot + 3] ^ i;
  }
  return found;
}

function jsProbes(): string {
  const table = new Int32Array(4 * 2 ** SLOTS_LOG).fill(0x01010101);
  probe(table, 0, PROBES / 100);
  const started = performance.now();
  const found = probe(table, 0, PROBES);
  const seconds = (performance.now() - started) / 1000;
  return `${Math.round(PROBES / seconds)} ${found >>> 0}`;
}

async function fastest(file: string, args: readonly string[], times: number): Promise<number> {
  const rates: number[] = [];
  for (let i = 0; i < times; i++) rates.push(Number.parseInt((await run(file, args)).stdout, 10));
  return Math.max(...rates);
}

export interface ProbeRates {
  readonly javascript: number;
  readonly c?: number;
}

/**
 * Probes a second on one thread, the best of a few runs: a limit is what the machine can do, not what it does on
 * average.
 */
export async function probeRates(folder: string, hasCompiler: boolean, times: number): Promise<ProbeRates> {
  const javascript = await fastest(process.execPath, [__filename], times);
  if (!hasCompiler) return { javascript };
  const [source, program] = [path.join(folder, 'probes.c'), path.join(folder, 'probes')];
  writeFileSync(source, C_PROBES);
  await run('gcc', ['-O3', '-march=native', '-o', program, source]);
  return { javascript, c: await fastest(program, [], times) };
}

if (require.main === module) console.log(jsProbes());
