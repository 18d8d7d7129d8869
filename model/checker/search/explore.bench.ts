/**
 * States a second of the breadth-first search on the real model. Plain Node on the built files, because a loader that
 * compiles on the fly slows every imported constant down: `npm run build && node
 * dist/model/checker/search/explore.bench.js [design] [tasks]`
 */
import { DEFAULT_BOUNDS, entryModel } from '../../entry-model';
import { ruleInstances } from '../model';
import { explore } from './explore';

const [design = 'mainline', tasks = '2'] = process.argv.slice(2);
const model = entryModel(design, { ...DEFAULT_BOUNDS, tasks: Number(tasks) });
if (model === undefined) throw new Error(`no design ${design}`);

const started = performance.now();
// A property that no rule and no invariant has: the whole state space is searched even while a design violates
// something.
const result = explore(model, { property: 99, onProgress: (progress) => console.error(JSON.stringify(progress)) });
const seconds = (performance.now() - started) / 1000;
console.log(
  `${model.packing.describe().length} values in ${model.packing.words} words, ${ruleInstances(model).length} rule instances`,
);
console.log(`${result.verdict}: ${result.states} states, ${result.transitions} transitions, depth ${result.depth}`);
console.log(
  `${seconds.toFixed(2)} s, ${Math.round(result.states / seconds)} states/s, ${Math.round(result.transitions / seconds)} transitions/s`,
);
