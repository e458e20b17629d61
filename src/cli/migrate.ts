import { Command } from 'commander';
import { loadConfig } from '../config.ts';
import type { DatabaseError } from '../store/errors.ts';
import { migrate } from '../store/migrate.ts';
import { ensureReaderRole } from '../store/reader-role.ts';
import { helpFooter, integerBetween } from './arguments.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { DATABASE_ENVIRONMENT, requireDatabaseUrl } from './with-database.ts';

/** `migrate`: brings the database up to date, before a new version starts. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .summary('bring the database up to date')
    .description(
      'Brings the schema of the database up to date, in one transaction. Safe to run at any time and by several at ' +
        'once: what is done is not done again. Then it makes the login of dashboards, where a password is set for it.',
    )
    .option(
      '--wait <seconds>',
      'how long to wait for a Postgres that does not answer yet',
      integerBetween(0, 3_600),
      0,
    )
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(async ({ wait, output }: { wait: number; output: OutputFormat }) => {
      const { readerRole } = loadConfig();
      const databaseUrl = requireDatabaseUrl();
      const names = await migrate(databaseUrl, { waitMs: 1000 * wait, onWait: tellOnce() });
      if (names.length === 0) note('The database is up to date.');
      if (readerRole !== undefined) {
        await ensureReaderRole(databaseUrl, readerRole);
        note(`${readerRole.name} may read the views for dashboards.`);
      }
      print(render(output, LISTING, names));
    });
}

/** Says what is waited for when that changes. */
function tellOnce(): (error: DatabaseError) => void {
  let told = '';
  return ({ message }) => {
    if (message !== told) note(`Waiting for Postgres: ${message}`);
    told = message;
  };
}

const HELP = helpFooter({
  examples: ['phaserun migrate', 'phaserun migrate --wait 120'],
  environment: {
    ...DATABASE_ENVIRONMENT,
    DATABASE_READER_PASSWORD: 'of the login of dashboards; unset: no login is made or changed',
    DATABASE_READER_ROLE: 'name of that login; default phaserun_reader',
  },
});

const LISTING: Listing<string> = {
  name: (name) => `migration/${name}`,
  columns: [{ header: 'APPLIED', value: (name) => name }],
};
