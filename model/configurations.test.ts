/** Promises: whatever way a configuration is searched, the answer is the same. A sample of the nightly ones. */
import { agreementOf, CONFIGURATIONS, configurationName } from './testing/configurations';

/** One that is searched in bulk, and one with a violation that needs two CPUs. */
const SAMPLE = [
  ['mainline', '2x1x1 nesting 2 events any'],
  ['mainline+on-cpu-released-early', '2x1x1 nesting 1 events 0'],
];

test.each(SAMPLE)('%s at %s: plain, reduced, on one thread and on two', (design, name) => {
  const bounds = CONFIGURATIONS.find((each) => configurationName(each) === name);
  if (bounds === undefined) throw new Error(`no configuration ${name}`);
  const { faults, unfinished, text } = agreementOf(design, bounds, { memoryMiB: 64, seconds: 60 });
  expect({ faults, unfinished, text }).toEqual({ faults: [], unfinished: 0, text: expect.any(String) });
});

test('there are 180 configurations, each with a name of its own', () => {
  expect(new Set(CONFIGURATIONS.map(configurationName)).size).toBe(180);
});
