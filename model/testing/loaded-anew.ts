/**
 * A module as a process that has just started finds it, for tests: evaluated once more, beside the one that all other
 * modules have.
 */
export function loadedAnew<Module>(load: NodeJS.Require, name: string): Module {
  const file = load.resolve(name);
  const known = load.cache[file];
  delete load.cache[file];
  const anew = load(name) as Module;
  load.cache[file] = known;
  return anew;
}
