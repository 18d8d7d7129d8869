/**
 * A command apart from its name, so that a command line loads only the one that it asks for: a search that does without
 * the emulator starts several times as fast.
 */
import type { ArgumentsCamelCase, Argv, CommandModule } from 'yargs';

export interface CommandBody<Flags> {
  builder(yargs: Argv): Argv<Flags>;
  handler(flags: ArgumentsCamelCase<Flags>): void | Promise<void>;
}

/** A command as the command line lists it. */
export interface NamedCommand {
  /** As yargs writes it: with its arguments, and `$0` for the one that needs no name. */
  readonly name: string;
  readonly describe: string;
  /** Loads the body: for each command it is of another type, and only yargs calls it with flags. */
  readonly body: () => CommandBody<object>;
}

/** A command for yargs whose body is loaded when it is called, or asked for its flags. */
export function commandModule({ name, describe, body }: NamedCommand): CommandModule<object, object> {
  return {
    command: name,
    describe,
    builder: (yargs: Argv) => body().builder(yargs),
    handler: (flags) => body().handler(flags),
  };
}
