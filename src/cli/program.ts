import { Command } from 'commander';
import { type ExitCode, reportFailure } from './failure.ts';
import { readVersion } from './version.ts';

/** Runs the command that the arguments name (`process.argv`) to its end, and returns the code to exit with. */
export async function run(argv: readonly string[]): Promise<ExitCode> {
  try {
    const program = createProgram(await loadCommands(argv[2]));
    await program.parseAsync(argv);
    return 0;
  } catch (error) {
    return reportFailure(error);
  }
}

const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  dev: async () => (await import('./dev.ts')).devCommand().helpGroup('Processes:'),
  api: async () => (await import('./api.ts')).apiCommand().helpGroup('Processes:'),
  controller: async () => (await import('./controller.ts')).controllerCommand().helpGroup('Processes:'),
  migrate: async () => (await import('./migrate.ts')).migrateCommand().helpGroup('For operators:'),
  admin: async () => (await import('./admin.ts')).adminCommand().helpGroup('For operators:'),
  doctor: async () => (await import('./doctor.ts')).doctorCommand().helpGroup('For operators:'),
  store: async () => (await import('./store.ts')).storeCommand().helpGroup('For runners:'),
  retrieve: async () => (await import('./retrieve.ts')).retrieveCommand().helpGroup('For runners:'),
  mcp: async () => (await import('./mcp.ts')).mcpCommand().helpGroup('For agents:'),
  version: async () => (await import('./version.ts')).versionCommand(),
};

/** All commands, or only the one that is asked for: a runner that stores a result need not load the whole server. */
async function loadCommands(name = ''): Promise<readonly Command[]> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  return Promise.all(load ? [load()] : Object.values(COMMANDS).map((loadOne) => loadOne()));
}

function createProgram(commands: readonly Command[]): Command {
  const program = new Command('phaserun')
    .description('Keeps what the scan, validation and mitigation phases of security automation learnt.')
    .version(readVersion(), '-V, --version', 'print the version')
    .helpCommand('help [command]', 'explain a command')
    .addHelpText('after', HELP);
  for (const command of commands) program.addCommand(command);
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
