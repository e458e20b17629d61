import { Command, InvalidArgumentError, Option } from 'commander';
import { loadConfig } from '../config.ts';
import { PHASES, type Phase } from '../domain/phase.ts';
import {
  describeRetention,
  effectivePolicy,
  findPolicyContradictions,
  parseRetentionDays,
  RETENTION_DAYS_RULE,
  type RetentionOverride,
  type RetentionSettings,
} from '../domain/retention.ts';
import { findCustomer } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import {
  listRetentionPolicies,
  putRetentionPolicy,
  removeRetentionPolicy,
} from '../store/retention-policies.ts';
import { retentionRunCommand } from './admin-retention-run.ts';
import { helpFooter, shellWord } from './arguments.ts';
import { changeAudited } from './audited.ts';
import { customerOption, requireCustomer } from './customer-reference.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, type OutputFormat, outputOption, print, render } from './output.ts';
import { settingsInForce } from './retention-settings.ts';
import { withCustomer } from './with-customer.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';

/** `admin retention`: how long results are kept. */
export function adminRetentionCommand(): Command {
  return new Command('retention')
    .summary('say how long results are kept')
    .description(
      'Rows of results go at the age that EXECUTION_RETENTION_DAYS says, and their data alone at PAYLOAD_RETENTION_DAYS; a customer ' +
        'may depart from both, for all phases or for one. The controller applies it every ten minutes. What is under a legal ' +
        'hold stays.',
    )
    .addCommand(showCommand())
    .addCommand(setCommand())
    .addCommand(unsetCommand())
    .addCommand(retentionRunCommand());
}

interface EffectiveRow {
  /** Null: whoever has no policy. */
  readonly customer: string | null;
  readonly phase: Phase;
  readonly executionDays: number;
  readonly payloadDays: number;
  /** Whether the customer departs from the settings here. */
  readonly overridden: boolean;
}

function showCommand(): Command {
  return new Command('show')
    .description(
      'Shows how long results are kept: by the settings, and of each customer that departs from them.',
    )
    .option('--customer <name|id>', 'of that one alone')
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: ['phaserun admin retention show', 'phaserun admin retention show --customer acme -o json'],
        environment: DATABASE_ENVIRONMENT,
      }),
    )
    .action(async ({ customer, output }: { customer?: string; output: OutputFormat }) => {
      print(render(output, LISTING, await withDatabase((connection) => listEffective(connection, customer))));
    });
}

async function listEffective(
  connection: Connection,
  reference: string | undefined,
): Promise<readonly EffectiveRow[]> {
  const settings = await settingsInForce(connection);
  if (reference !== undefined) {
    const { id, name } = await requireCustomer(connection, reference);
    return effectiveRows(name, await listRetentionPolicies(connection, id), settings);
  }
  const byCustomer = Map.groupBy(await listRetentionPolicies(connection), ({ customer }) => customer);
  return [
    ...effectiveRows(null, [], settings),
    ...[...byCustomer].flatMap(([customer, overrides]) => effectiveRows(customer, overrides, settings)),
  ];
}

function effectiveRows(
  customer: string | null,
  overrides: readonly RetentionOverride[],
  settings: RetentionSettings,
): EffectiveRow[] {
  return PHASES.map((phase) => ({
    customer,
    phase,
    ...effectivePolicy(phase, overrides, settings),
    overridden: overrides.some((override) => override.phase === phase || override.phase === null),
  }));
}

function setCommand(): Command {
  return new Command('set')
    .description(
      'Has the results of a customer kept for longer or less long than the settings say; what is not named stays.',
    )
    .addOption(customerOption())
    .addOption(phaseOption())
    .option('--rows <days>', 'age at which rows go, or forever', parseDays)
    .option('--payloads <days>', 'age at which rows lose their data, or forever: with the row', parseDays)
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: [
          'phaserun admin retention set --customer acme --rows 90',
          'phaserun admin retention set --customer acme --phase scan --rows forever --payloads 30',
        ],
        environment: DATABASE_ENVIRONMENT,
      }),
    )
    .action(set);
}

interface SetOptions {
  readonly customer: string;
  readonly phase?: Phase;
  readonly rows?: number;
  readonly payloads?: number;
  readonly output: OutputFormat;
}

async function set({ customer, phase, rows, payloads, output }: SetOptions): Promise<void> {
  const wanted = phase ?? null;
  if (rows === undefined && payloads === undefined)
    throw new CommandFailure('nothing is said: give --rows or --payloads, or both', { exitCode: 2 });
  const effective = await withCustomer(customer, (connection, customerId) =>
    changeAudited(
      connection,
      (transaction) => change(transaction, { customerId, phase: wanted, rows, payloads }),
      ({ override, problems }) =>
        problems.length > 0
          ? undefined
          : { customerId, eventType: 'retention.set', metadata: { ...override } },
    ),
  );
  if (effective.problems.length > 0) throw new CommandFailure(effective.problems.join('. '), { exitCode: 2 });
  print(render(output, LISTING, effective.rows));
}

interface Change {
  readonly customerId: string;
  readonly phase: Phase | null;
  readonly rows: number | undefined;
  readonly payloads: number | undefined;
}

async function change(transaction: Connection, { customerId, phase, rows, payloads }: Change) {
  const before = await listRetentionPolicies(transaction, customerId);
  const own = before.find((each) => each.phase === phase);
  const override: RetentionOverride = {
    phase,
    executionDays: rows ?? own?.executionDays ?? null,
    payloadDays: payloads ?? own?.payloadDays ?? null,
  };
  const overrides = [...before.filter((each) => each.phase !== phase), override];
  const settings = await settingsInForce(transaction);
  const problems = listContradictions(overrides, settings);
  if (problems.length === 0) await putRetentionPolicy(transaction, customerId, override);
  const name = (await findCustomer(transaction, customerId))?.name ?? customerId;
  return { override, problems, rows: effectiveRows(name, overrides, settings) };
}

/** Where some phase would be kept in a way that goes against itself or what else is set. */
function listContradictions(overrides: readonly RetentionOverride[], settings: RetentionSettings): string[] {
  const { sessionRetentionDays, idempotency } = loadConfig();
  const others = {
    sessionRetentionDays,
    idempotencyTtlSeconds: idempotency.enabled ? idempotency.ttlSeconds : undefined,
  };
  const names = { executionDays: '--rows', payloadDays: '--payloads' };
  return PHASES.flatMap((phase) =>
    findPolicyContradictions(effectivePolicy(phase, overrides, settings), names, others).map(
      (problem) => `${phase}: ${problem}`,
    ),
  );
}

function unsetCommand(): Command {
  return new Command('unset')
    .description('Takes back what was set for a customer: what the settings say holds again.')
    .addOption(customerOption())
    .addOption(phaseOption())
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: ['phaserun admin retention unset --customer acme --phase scan'],
        environment: DATABASE_ENVIRONMENT,
      }),
    )
    .action(unset);
}

async function unset({ customer, phase, output }: Omit<SetOptions, 'rows' | 'payloads'>): Promise<void> {
  const wanted = phase ?? null;
  const removed = await withCustomer(customer, (connection, customerId) =>
    changeAudited(
      connection,
      (transaction) => removeRetentionPolicy(transaction, customerId, wanted),
      (done) =>
        done ? { customerId, eventType: 'retention.unset', metadata: { phase: wanted } } : undefined,
    ),
  );
  if (!removed) {
    throw new CommandFailure(`nothing is set for ${wanted ?? 'all phases'} of this customer`, {
      advice: `See what is with: phaserun admin retention show --customer ${shellWord(customer)}`,
    });
  }
  print(render(output, LISTING, await withDatabase((connection) => listEffective(connection, customer))));
}

function phaseOption(): Option {
  return new Option(
    '--phase <phase>',
    'that phase alone; absent: all that have nothing of their own',
  ).choices(PHASES);
}

function parseDays(text: string): number {
  const days = parseRetentionDays(text);
  if (days !== undefined) return days;
  throw new InvalidArgumentError(`It ${RETENTION_DAYS_RULE}.`);
}

const LISTING: Listing<EffectiveRow> = {
  name: ({ customer, phase }) => `retention/${customer ?? ''}/${phase}`,
  columns: [
    { header: 'CUSTOMER', value: ({ customer }) => customer ?? undefined },
    { header: 'PHASE', value: ({ phase }) => phase },
    { header: 'ROWS', value: ({ executionDays }) => describeRetention(executionDays) },
    { header: 'PAYLOADS', value: ({ payloadDays }) => describeRetention(payloadDays) },
    { header: 'OVERRIDDEN', value: ({ overridden }) => overridden, wide: true },
  ],
};
