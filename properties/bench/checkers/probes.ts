/**
 * The physical limit of a search: how many words of 8 bytes, chosen at random and independent of each other, this
 * machine reads, changes and writes a second in a table of the size of the set of states. A search has to do that at
 * least once for every transition that is not taken in bulk. In JavaScript, run as a program of its own
 * (`node probes.js LOG`), and in C where there is a compiler.
 */
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Base-2 logarithms of the words: 4 MiB and 1 GiB. */
const LEAST_LOG = 19;
const MOST_LOG = 27;
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
int main(int argc, char **argv) {
  int log = argc > 1 ? atoi(argv[1]) : ${LEAST_LOG};
  uint64_t *table = malloc((size_t)8 << log), found = 0;
  memset(table, 1, (size_t)8 << log);
  struct timespec from, to;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
  for (uint32_t i = 0; i < ${PROBES}u; i++) {
    uint64_t *word = table + (mix(i) >> (32 - log));
    found ^= *word;
    *word |= (uint64_t)i << 32 | i;
  }
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
  double seconds = (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
  printf("%.0f %llu\\n", ${PROBES} / seconds, (unsigned long long)found);
  return 0;
}
`;

function mix(value: number): number {
  let h = value;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** Adds bits to both halves of random words. What was found is answered, or the engine need not read anything. */
function probe(table: Int32Array, log: number, from: number, to: number): number {
  let found = 0;
  for (let i = from; i < to; i++) {
    const word = (mix(i) >>> (32 - log)) * 2;
    found ^= table[word] ^ table[word + 1];
    table[word] |= i;
    table[word + 1] |= i;
  }
  return found;
}

function jsProbes(log: number): string {
  const table = new Int32Array(2 * 2 ** log).fill(0x01010101);
  probe(table, log, 0, PROBES / 100);
  const began = process.cpuUsage();
  const found = probe(table, log, 0, PROBES);
  const { user, system } = process.cpuUsage(began);
  const seconds = (user + system) / 1e6;
  return `${Math.round(PROBES / seconds)} ${found >>> 0}`;
}

async function fastest(file: string, args: readonly string[], times: number): Promise<number> {
  const rates: number[] = [];
  for (let i = 0; i < times; i++) rates.push(Number.parseInt((await run(file, args)).stdout, 10));
  return Math.max(...rates);
}

export interface ProbeRates {
  /** Of the table. */
  readonly mebibytes: number;
  readonly javascript: number;
  readonly c?: number;
}

/**
 * Probes in a second of CPU time on one thread in a table of at least so many bytes (a power of two), the best of a few
 * runs: a limit is what the machine can do, not what it does on average.
 */
export async function probeRates(
  folder: string,
  hasCompiler: boolean,
  times: number,
  bytes: number,
): Promise<ProbeRates> {
  const log = Math.min(Math.max(Math.ceil(Math.log2(bytes / 8)), LEAST_LOG), MOST_LOG);
  const mebibytes = 2 ** (log + 3 - 20);
  const javascript = await fastest(process.execPath, [__filename, `${log}`], times);
  if (!hasCompiler) return { mebibytes, javascript };
  const [source, program] = [path.join(folder, 'probes.c'), path.join(folder, 'probes')];
  writeFileSync(source, C_PROBES);
  await run('gcc', ['-O3', '-march=native', '-o', program, source]);
  return { mebibytes, javascript, c: await fastest(program, [`${log}`], times) };
}

if (require.main === module) console.log(jsProbes(Number(process.argv[2])));
