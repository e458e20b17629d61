import { Command, InvalidArgumentError } from 'commander';
import type { ChainLink } from '../domain/audit-chain.ts';
import {
  type AuditBreak,
  type AuditVerification,
  listAuditChains,
  verifyAuditChain,
} from '../store/audit-verification.ts';
import { findCustomer } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import { helpFooter } from './arguments.ts';
import { requireCustomer } from './customer-reference.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';

/** `admin audit`: whether the audit is what it was. */
export function adminAuditCommand(): Command {
  return new Command('audit')
    .summary('verify the audit')
    .description(
      'What happens is sealed into one chain of hashes for each customer, and one for what nobody known did: nothing in it ' +
        'can be changed, removed, inserted or moved without a trace.',
    )
    .addCommand(verifyCommand());
}

function verifyCommand(): Command {
  return new Command('verify')
    .description(
      'Computes the chains anew, and names the first event of each that is not what was sealed; exits 1 when there is one. ' +
        'Who can write to the database can also seal anew what they changed: keep the head that is printed where they ' +
        'cannot, and give it as --anchor the next time.',
    )
    .option('--customer <name|id>', 'that one alone')
    .option(
      '--anchor <sequence:hash>',
      'head that an earlier verification printed; the chain must still lead through there',
      parseAnchor,
    )
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: [
          'phaserun admin audit verify',
          'phaserun admin audit verify --customer acme --anchor 4711:9f86d081…',
          `phaserun admin audit verify -o json | jq -r '.[] | "\\(.customer) \\(.head.sequence):\\(.head.hash)"'`,
        ],
        environment: DATABASE_ENVIRONMENT,
      }),
    )
    .action(verify);
}

interface VerifyOptions {
  readonly customer?: string;
  readonly anchor?: ChainLink;
  readonly output: OutputFormat;
}

type Verified = AuditVerification & { readonly customer: string | null };

async function verify({ customer, anchor, output }: VerifyOptions): Promise<void> {
  if (anchor !== undefined && customer === undefined)
    throw new CommandFailure('--anchor belongs to one chain: name its --customer as well', { exitCode: 2 });
  const verified = await withDatabase((connection) => verifyAll(connection, customer, anchor));
  if (verified.length === 0) note('Nothing is sealed yet.');
  print(render(output, LISTING, verified));
  const broken = verified.filter((chain) => chain.broken !== undefined);
  if (broken.length > 0) throw new CommandFailure(broken.map(describe).join('; '));
}

async function verifyAll(
  connection: Connection,
  reference: string | undefined,
  anchor: ChainLink | undefined,
): Promise<readonly Verified[]> {
  if (reference !== undefined) {
    const { id, name } = await requireCustomer(connection, reference);
    return [{ customer: name, ...(await verifyAuditChain(connection, id, anchor)) }];
  }
  const verified: Verified[] = [];
  for (const owner of await listAuditChains(connection)) {
    const customer = owner === null ? null : ((await findCustomer(connection, owner))?.name ?? owner);
    verified.push({ customer, ...(await verifyAuditChain(connection, owner)) });
  }
  return verified;
}

function describe({ customer, broken }: Verified): string {
  const whose = customer === null ? 'of nobody known' : `of customer ${customer}`;
  return `the audit ${whose} is broken: ${broken === undefined ? '' : describeBreak(broken)}`;
}

function describeBreak({ kind, sequence, eventId }: AuditBreak): string {
  const event = eventId === undefined ? '' : ` (event ${eventId})`;
  return BREAKS[kind](`place ${sequence}${event}`);
}

const BREAKS: Readonly<Record<AuditBreak['kind'], (place: string) => string>> = {
  changed: (place) => `${place} was changed or moved`,
  inserted: (place) => `${place} was inserted`,
  removed: (place) => `${place} was removed`,
  rewritten: (place) => `up to ${place} it was written anew`,
  cut: (place) =>
    `${place} is the anchor's and was taken away; unless AUDIT_RETENTION_DAYS have passed since, not by retention`,
};

function parseAnchor(text: string): ChainLink {
  const [, sequence, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(text) ?? [];
  if (sequence === undefined || hash === undefined)
    throw new InvalidArgumentError('It is a number, a colon and 64 hexadecimal digits.');
  return { sequence: Number(sequence), hash };
}

const LISTING: Listing<Verified> = {
  name: ({ customer }) => `audit/${customer ?? ''}`,
  columns: [
    { header: 'CUSTOMER', value: ({ customer }) => customer ?? undefined },
    { header: 'STATE', value: ({ broken }) => (broken === undefined ? 'intact' : 'broken') },
    { header: 'VERIFIED', value: ({ verified }) => verified },
    { header: 'BROKEN-AT', value: ({ broken }) => broken?.sequence },
    { header: 'HEAD', value: ({ head }) => `${head.sequence}:${head.hash}`, wide: true },
  ],
};
