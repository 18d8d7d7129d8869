/** A hook of Node's loader: `import` of a TypeScript file is a `require` of it, which `register.js` answers. */
export async function load(url, context, nextLoad) {
  if (!new URL(url).pathname.endsWith('.ts')) return nextLoad(url, context);
  return { format: 'commonjs', source: null, shortCircuit: true };
}
