/** The machine that a benchmark ran on, as its report names it. */
import { cpus } from 'node:os';

export function machineName(): string {
  const found = cpus();
  const model = found[0]?.model.trim() ?? 'unknown CPU';
  return `${model}, ${found.length} logical CPUs, Node ${process.version}, ${process.platform} ${process.arch}`;
}
