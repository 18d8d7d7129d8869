/**
 * A command apart from its name, so that a command line loads only the one that it asks for: a search that does without the emulator starts several times as
 * fast.
 */
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';

export interface CommandBody<Flags> {
  builder(yargs: Argv): Argv<Flags>;
  handler(flags: ArgumentsCamelCase<Flags>): void | Promise<void>;
}

/** A command for yargs whose body is loaded when it is called, or asked for its flags. */
export function command<Flags>(
  name: string,
  describe: string,
  load: () => Promise<CommandBody<Flags>>,
): CommandModule<object, Flags> {
  return {
    command: name,
    describe,
    builder: async (yargs: Argv) => (await load()).builder(yargs),
    handler: async (flags: ArgumentsCamelCase<Flags>) => (await load()).handler(flags),
  };
}
