import { Command } from 'commander';
import { type ExitCode, reportFailure } from './failure.ts';
import { retrieveCommand } from './retrieve.ts';
import { storeCommand } from './store.ts';
import { readVersion, versionCommand } from './version.ts';

/** Runs the command that the arguments name (`process.argv`) to its end, and returns the code to exit with. */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  try {
    await createProgram().parseAsync(argv);
    return 0;
  } catch (error) {
    return reportFailure(error);
  }
}

function createProgram(): Command {
  const program = new Command('phaserun')
    .description('Keeps what the scan, validation and mitigation phases of security automation learnt.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'explain a command')
    .addHelpText('after', HELP);
  program.commandsGroup('For runners:').addCommand(storeCommand()).addCommand(retrieveCommand());
  program.commandsGroup('About:').addCommand(versionCommand());
  for (const command of [program, ...descendantsOf(program)]) {
    // Errors become exceptions, so that one place decides on the exit code.
    command.exitOverride().showHelpAfterError(`Try "${pathOf(command)} --help".`);
  }
  return program;
}

const HELP = `
Data goes to stdout, notes to stderr. NO_COLOR is respected.
Exit codes: 0 done, 1 failed, 2 the command line or the environment must change first.`;

function descendantsOf(command: Command): readonly Command[] {
  return command.commands.flatMap((child) => [child, ...descendantsOf(child)]);
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}` : command.name();
}
