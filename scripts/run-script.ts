/** How the scripts that compare two machines end. */
import { OptionError } from './qemu-options';

type ErrorClass = new (...parameters: never[]) => Error;

/**
 * Exits with the code that `main` answers. What it throws is one line on stderr; exit code 2 if it is bad input, which
 * is an error of one of the classes `input`, and 1 if not.
 */
export function runScript(main: () => Promise<number>, input: readonly ErrorClass[] = []): void {
  main().then(
    (code) => {
      process.exitCode = code;
    },
    (error: Error) => {
      console.error(error instanceof OptionError ? error.message : `${error.name}: ${error.message}`);
      process.exitCode = input.some((kind) => error instanceof kind) ? 2 : 1;
    },
  );
}
