import { Command, InvalidArgumentError } from 'commander';
import { findUnstorable } from '../domain/unstorable.ts';
import { appendAuditEvent } from '../store/audit-events.ts';
import type { Connection } from '../store/database.ts';
import { findProfile, listProfiles, type Profile, putProfile } from '../store/profiles.ts';
import { helpFooter } from './arguments.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { parseResultData } from './result-data.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';

interface Options {
  readonly output: OutputFormat;
}

/** `admin profile`: what agents of a role can do. */
export function adminProfileCommand(): Command {
  return new Command('profile')
    .summary('say what agents of a role can do')
    .description(
      'A profile says what agents of a role can do; agents read it. Profiles belong to the installation: every customer ' +
        'sees the same.',
    )
    .addCommand(setCommand())
    .addCommand(
      subcommand('list', 'Lists all profiles, by role.', 'phaserun admin profile list').action(list),
    )
    .addCommand(
      subcommand('get', 'Shows one profile.', 'phaserun admin profile get finance -o yaml')
        .argument('<role>', 'which one')
        .action(get),
    );
}

function setCommand(): Command {
  return subcommand(
    'set',
    'Makes a profile, or changes one; what is not named stays.',
    `phaserun admin profile set finance --capability budget_review --capability invoicing --metadata '{"tier": 2}'`,
  )
    .argument('<role>', 'at most 50 characters', parseRole)
    .option('--capability <name...>', 'what they can do; takes the place of all there were')
    .option('--metadata <json>', 'an object; takes the place of the one before', parseMetadata)
    .action(set);
}

function subcommand(name: string, description: string, example: string): Command {
  const footer = helpFooter({ examples: [example], environment: DATABASE_ENVIRONMENT });
  return new Command(name).description(description).addOption(outputOption()).addHelpText('after', footer);
}

interface SetOptions extends Options {
  readonly capability?: readonly string[];
  readonly metadata?: Profile['metadata'];
}

async function set(role: string, options: SetOptions): Promise<void> {
  const profile = await withDatabase((connection) =>
    connection.transaction((transaction) => change(transaction, role, options)),
  );
  print(render(options.output, LISTING, [profile], profile));
}

async function change(
  transaction: Connection,
  role: string,
  { capability, metadata }: SetOptions,
): Promise<Profile> {
  const before = await findProfile(transaction, role);
  const profile = await putProfile(transaction, {
    role,
    capabilities: [...new Set(capability ?? before?.capabilities)],
    metadata: metadata ?? before?.metadata ?? {},
  });
  const { capabilities } = profile;
  await appendAuditEvent(transaction, { eventType: 'profile.set', role, metadata: { capabilities } });
  return profile;
}

async function list({ output }: Options): Promise<void> {
  const profiles = await withDatabase(listProfiles);
  if (profiles.length === 0)
    note('There are no profiles. How to make one: phaserun admin profile set --help');
  print(render(output, LISTING, profiles));
}

async function get(role: string, { output }: Options): Promise<void> {
  const profile = await withDatabase((connection) => findProfile(connection, role));
  if (profile === null) {
    throw new CommandFailure(`there is no profile ${JSON.stringify(role)}`, {
      advice: 'List them with: phaserun admin profile list',
    });
  }
  print(render(output, LISTING, [profile], profile));
}

/** As the column has it, and the API. */
const ROLE_LIMIT = 50;

function parseRole(role: string): string {
  if (role !== '' && Array.from(role).length <= ROLE_LIMIT) return role;
  throw new InvalidArgumentError(`A role has between 1 and ${ROLE_LIMIT} characters.`);
}

function parseMetadata(text: string): Profile['metadata'] {
  const metadata = parseResultData(text, '--metadata');
  const unstorable = findUnstorable(metadata, '--metadata');
  if (unstorable === undefined) return metadata;
  throw new InvalidArgumentError(`${unstorable.path} ${unstorable.message}.`);
}

const LISTING: Listing<Profile> = {
  name: ({ role }) => `profile/${role}`,
  columns: [
    { header: 'ROLE', value: ({ role }) => role },
    { header: 'CAPABILITIES', value: ({ capabilities }) => capabilities.join(',') },
    { header: 'METADATA', value: ({ metadata }) => JSON.stringify(metadata), wide: true },
    { header: 'UPDATED', value: ({ updatedAt }) => updatedAt, wide: true },
  ],
};
