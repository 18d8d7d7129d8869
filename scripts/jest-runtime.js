// biome-ignore-all lint/style/noCommonJs: Jest loads a runtime as it is
/**
 * Jest's runtime, but a file that several test files load is compiled once for each worker. Jest loads modules anew
 * in a context of its own for every test file, and compiles them anew as well: a fifth of all CPU time. Code is all that
 * test files share here; what modules hold is of one context, as ever.
 */
const { Script } = require('node:vm');
const { default: Runtime } = require('jest-runtime');

/** By file: what it said, and what V8 made of it. */
const compiled = new Map();

/** The script whose value is a function with `source` as its body. The first line keeps its columns. */
function scriptOf(source, filename, parameters) {
  const known = compiled.get(filename);
  if (known !== undefined && known.source === source) return known.script;
  const head = `(function (${parameters.join(', ')}) {`;
  const script = new Script(`${head}${source}\n})`, { filename, columnOffset: -head.length });
  compiled.set(filename, { source, script });
  return script;
}

class SharedCodeRuntime extends Runtime {
  constructor(...options) {
    super(...options);
    const { executor } = this;
    const compileAnew = executor.compile.bind(executor);
    executor.compile = (source, filename) => {
      const context = executor.environment.getVmContext();
      // The test file itself is loaded once.
      if (context === null || filename === executor.testPath) return compileAnew(source, filename);
      return scriptOf(source, filename, executor.injectedModuleParameters).runInContext(context);
    };
  }
}

module.exports = { __esModule: true, default: SharedCodeRuntime };
