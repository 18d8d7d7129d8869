/** Rule files opened with ts-morph: what the checker of the language and the translator both read. */
import { ModuleKind, ModuleResolutionKind, Project, ScriptTarget } from 'ts-morph';

/**
 * A project with these files and what they import. Types are resolved to see what is a small integer, and nothing else
 * is asked of them, so the smallest library will do. Packages are found as a bundler finds them, which takes imports
 * with and without extensions.
 */
export function openRuleFiles(files: readonly string[]): Project {
  const project = new Project({
    compilerOptions: {
      strict: true,
      target: ScriptTarget.ES2022,
      module: ModuleKind.ESNext,
      moduleResolution: ModuleResolutionKind.Bundler,
      lib: ['lib.es5.d.ts'],
      types: [],
    },
    skipAddingFilesFromTsConfig: true,
  });
  project.addSourceFilesAtPaths([...files]);
  project.resolveSourceFileDependencies();
  return project;
}
