import { Command } from 'commander';
import { migrate } from '../store/migrate.ts';
import { helpFooter } from './arguments.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { DATABASE_ENVIRONMENT, requireDatabaseUrl } from './with-database.ts';

/** `migrate`: brings the database up to date, before a new version starts. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .summary('bring the database up to date')
    .description(
      'Brings the schema of the database up to date, in one transaction. Safe to run at any time and by several at ' +
        'once: what is done is not done again.',
    )
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(async ({ output }: { output: OutputFormat }) => {
      const names = await migrate(requireDatabaseUrl());
      if (names.length === 0) note('The database is up to date.');
      print(render(output, LISTING, names));
    });
}

const HELP = helpFooter({
  examples: ['phaserun migrate', 'phaserun migrate -o name'],
  environment: DATABASE_ENVIRONMENT,
});

const LISTING: Listing<string> = {
  name: (name) => `migration/${name}`,
  columns: [{ header: 'APPLIED', value: (name) => name }],
};
