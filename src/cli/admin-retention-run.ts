import { Command } from 'commander';
import {
  type ExecutionsRemoved,
  measureOldExecutions,
  purgeOldExecutions,
  RETENTION_ROUND,
  sweepAllOld,
} from '../controller/retention-round.ts';
import type { Phase } from '../domain/phase.ts';
import { FOREVER, type RetentionSettings } from '../domain/retention.ts';
import { listCustomers } from '../store/customers.ts';
import type { Connection } from '../store/database.ts';
import { measureSweep, SWEPT_KINDS, type SweptKind } from '../store/retention-sweeps.ts';
import { helpFooter } from './arguments.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { settingsInForce } from './retention-settings.ts';
import { DATABASE_ENVIRONMENT, withDatabase } from './with-database.ts';

/** `admin retention run`: what the controller does every ten minutes, now. */
export function retentionRunCommand(): Command {
  return new Command('run')
    .description(
      'Takes away what is too old now, instead of within ten minutes; with --dry-run says what would go, and changes nothing. ' +
        'It goes by what the controller is set to. Tombstones are left to the controller, which alone knows what lives.',
    )
    .option('--dry-run', 'change nothing')
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: ['phaserun admin retention run --dry-run', 'phaserun admin retention run -o json'],
        environment: DATABASE_ENVIRONMENT,
      }),
    )
    .action(async ({ dryRun = false, output }: { dryRun?: boolean; output: OutputFormat }) => {
      const removed = await withDatabase(async (connection) => {
        const settings = await settingsInForce(connection);
        return dryRun ? foretell(connection, settings) : carryOut(connection, settings);
      });
      if (removed.length === 0) note('Nothing is too old.');
      print(render(output, LISTING, removed));
    });
}

interface Row {
  readonly kind: 'executions' | 'payloads' | SweptKind;
  readonly customer: string;
  /** Null: it has none. */
  readonly phase: Phase | null;
  readonly rows: number;
  /** Of data, as JSON; null where there is none. */
  readonly bytes: number | null;
}

async function foretell(connection: Connection, settings: RetentionSettings): Promise<readonly Row[]> {
  const executions = await measureOldExecutions(connection, 'executions', settings);
  const payloads = await measureOldExecutions(connection, 'payloads', settings);
  const nameOf = await customerNames(connection);
  const swept: Row[] = [];
  for (const kind of SWEPT_KINDS)
    swept.push(...(await foretellSweep(connection, kind, { settings, nameOf })));
  return [...rowsOf([...executions, ...payloads], nameOf), ...swept];
}

async function carryOut(connection: Connection, settings: RetentionSettings): Promise<readonly Row[]> {
  const round = {
    ...RETENTION_ROUND,
    maxBatches: Number.POSITIVE_INFINITY,
    signal: new AbortController().signal,
  };
  const ofRuns = { ...round, defaults: settings };
  const nameOf = await customerNames(connection);
  const executions = await purgeOldExecutions(connection, 'executions', ofRuns);
  const payloads = await purgeOldExecutions(connection, 'payloads', ofRuns);
  const swept: Row[] = [];
  for (const kind of SWEPT_KINDS) {
    const rows = await foretellSweep(connection, kind, { settings, nameOf });
    await sweepAllOld(connection, kind, { ...round, days: settings[DAYS[kind]] });
    swept.push(...rows);
  }
  return [...rowsOf([...executions, ...payloads], nameOf), ...swept];
}

type NameOf = (customerId: string) => string;

async function foretellSweep(
  connection: Connection,
  kind: SweptKind,
  { settings, nameOf }: { readonly settings: RetentionSettings; readonly nameOf: NameOf },
): Promise<Row[]> {
  const days = settings[DAYS[kind]];
  if (days === FOREVER) return [];
  const measured = await measureSweep(connection, kind, days);
  return measured.map(({ customerId, rows }) => ({
    kind,
    customer: nameOf(customerId),
    phase: null,
    rows,
    bytes: null,
  }));
}

const DAYS = {
  sessions: 'sessionDays',
  tasks: 'taskDays',
  approvals: 'approvalDays',
  quarantined: 'quarantineDays',
} as const satisfies Record<SweptKind, keyof RetentionSettings>;

function rowsOf(removed: readonly ExecutionsRemoved[], nameOf: NameOf): Row[] {
  return removed.map(({ loss, customerId, phase, rows, bytes }) => ({
    kind: loss,
    customer: nameOf(customerId),
    phase,
    rows,
    bytes,
  }));
}

async function customerNames(connection: Connection): Promise<NameOf> {
  const names = new Map((await listCustomers(connection)).map(({ id, name }) => [id, name]));
  return (customerId) => names.get(customerId) ?? customerId;
}

const LISTING: Listing<Row> = {
  name: ({ kind, customer, phase }) => `${kind}/${customer}${phase === null ? '' : `/${phase}`}`,
  columns: [
    { header: 'KIND', value: ({ kind }) => kind },
    { header: 'CUSTOMER', value: ({ customer }) => customer },
    { header: 'PHASE', value: ({ phase }) => phase ?? undefined },
    { header: 'ROWS', value: ({ rows }) => rows },
    { header: 'BYTES', value: ({ bytes }) => bytes ?? undefined },
  ],
};
