/**
 * `bash scripts/check-configurations.sh [DESIGN [NAME ...]]`: the searches of every small configuration agree, whatever
 * way they are done (model/testing/configurations.ts). A line for each configuration and a summary; exit code 1 if
 * something disagrees, or gives up for want of memory that it does not use. A search that needs more than the limits is
 * stopped, which is no fault.
 */
import {
  agreementOf,
  CONFIGURATIONS,
  type ConfigurationLimits,
  configurationName,
} from '../model/testing/configurations';

/** Of one search; MEMORY_MIB and SECONDS_A_SEARCH in the environment change them. */
const LIMITS: ConfigurationLimits = {
  memoryMiB: Number(process.env.MEMORY_MIB ?? 256),
  seconds: Number(process.env.SECONDS_A_SEARCH ?? 20),
};

const [design = 'mainline', ...names] = process.argv.slice(2);
const chosen = CONFIGURATIONS.filter((each) => names.length === 0 || names.includes(configurationName(each)));
let disagree = 0;
let stopped = 0;
const began = performance.now();
for (const bounds of chosen) {
  const start = performance.now();
  const { text, faults, unfinished } = agreementOf(design, bounds, LIMITS);
  const isWrong = faults.length > 0;
  if (isWrong) disagree++;
  stopped += unfinished;
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(`${isWrong ? 'WRONG' : 'ok   '} ${configurationName(bounds)}: ${text}; ${seconds} s`);
  for (const fault of faults) console.log(`        ${fault}`);
}
const minutes = ((performance.now() - began) / 60_000).toFixed(1);
console.log(
  `${design}: ${chosen.length} configurations, ${disagree} WRONG, ${stopped} searches stopped at ${LIMITS.memoryMiB} MiB or ${LIMITS.seconds} s of CPU time; ${minutes} minutes`,
);
process.exitCode = disagree === 0 && chosen.length > 0 ? 0 : 1;
