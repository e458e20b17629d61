import { Client, DatabaseError, type QueryConfig, TypeOverrides, types } from 'pg';
import { BackendTerminatedError, createDriverFactory, type DriverCommand, type DriverFactory } from 'slonik';

export interface DriverOptions {
  /** Absent: every statement fails as unreachable. */
  readonly url: string | undefined;
  readonly applicationName: string;
  /** When the server ends a statement; default 30,000. */
  readonly statementTimeoutMs?: number;
  /** Told of each connection that was made, failed or was lost, and of each answer. */
  onReachable(reachable: boolean): void;
}

const CONNECT_TIMEOUT_MS = 3000;
const STATEMENT_TIMEOUT_MS = 30_000;
/** How much longer an answer is waited for: the server speaks first unless the network is gone. */
const ANSWER_GRACE_MS = 5000;
/** How long after a failed attempt nobody else tries. */
const RETRY_AFTER_MS = 250;

/**
 * Connects slonik to pg. It takes the place of @slonik/pg-driver, which asks the server for type ids as soon as a
 * pool is made (so that none can be made while it is down), drops the SQLSTATE of 22P02, and removes its error
 * listener before the socket's last word, which then ends the process.
 *
 * A connection that cannot be made is handed to slonik as one whose every statement fails: when connecting
 * itself fails, slonik's pool leaves those who queue for a connection waiting for ever. While the server is out of
 * reach one caller at a time tries it, and the others fail at once.
 */
export function createDriver(options: DriverOptions): DriverFactory {
  const gate = createConnectGate();
  return createDriverFactory(() =>
    Promise.resolve({
      createPoolClient: ({ clientEventEmitter }) => {
        const client = createClient(options);
        const pipeline = createPipeline(client, () => options.onReachable(true));
        let lost: Error | undefined;
        client.on('error', (error) => {
          lost = error;
          options.onReachable(false);
          // slonik stops listening once it has given the connection up.
          if (clientEventEmitter.listenerCount('error') > 0)
            clientEventEmitter.emit('error', new BackendTerminatedError(error));
        });
        return Promise.resolve({
          connect: async () => {
            lost = await gate(() => connect(client, options.url));
            options.onReachable(lost === undefined);
          },
          end: () => client.end(),
          query: async (text, values, query) => {
            if (lost !== undefined) throw new BackendTerminatedError(lost);
            return pipeline({
              text,
              ...(values && { values }),
              ...(query?.name && { name: query.name }),
            });
          },
          stream: () => {
            throw new Error('streaming is not supported');
          },
        });
      },
    }),
  );
}

function createClient({
  url,
  applicationName,
  statementTimeoutMs = STATEMENT_TIMEOUT_MS,
}: DriverOptions): Client {
  return new Client({
    ...(url !== undefined && { connectionString: url }),
    application_name: applicationName,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: statementTimeoutMs,
    query_timeout: statementTimeoutMs + ANSWER_GRACE_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: parsers,
    pipeline: true,
  });
}

/** Why it could not be made; undefined when it was. */
async function connect(client: Client, url: string | undefined): Promise<Error | undefined> {
  if (url === undefined) return new Error('no database is configured');
  try {
    await client.connect();
    return undefined;
  } catch (error) {
    return asError(error);
  }
}

/** What slonik makes of a transaction's beginning; nobody reads its answer. */
const BEGIN = 'START TRANSACTION';

type Run = (query: QueryConfig<unknown[]>) => Promise<{
  readonly command: DriverCommand;
  readonly fields: { readonly dataTypeId: number; readonly name: string }[];
  readonly rowCount: number | null;
  readonly rows: Record<string, unknown>[];
}>;

/**
 * Sends a transaction's beginning along with its first statement, in one round trip. Where it fails, so does that
 * statement, with the reason of the beginning.
 */
function createPipeline(client: Client, onAnswer: () => void): Run {
  let begun: Promise<Error | undefined> | undefined;
  return async (query) => {
    if (query.text === BEGIN) {
      begun = client.query(BEGIN).then(
        () => undefined,
        (error: unknown) => asError(error),
      );
      return { command: 'START' as DriverCommand, fields: [], rowCount: null, rows: [] };
    }
    try {
      const answer = client.query<Record<string, unknown>>(query);
      const before = begun;
      begun = undefined;
      // The answers come in the order of the statements.
      const [{ command, fields, rowCount, rows }, notBegun] = await Promise.all([answer, before]);
      if (notBegun !== undefined) throw notBegun;
      onAnswer();
      return {
        // slonik's type leaves out START, COMMIT and the like, and reads none of them.
        command: command as DriverCommand,
        fields: fields.map(({ dataTypeID, name }) => ({ dataTypeId: dataTypeID, name })),
        rowCount,
        rows,
      };
    } catch (error) {
      // What is not the server's answer means that there was none. slonik does not roll back after this class.
      throw error instanceof DatabaseError ? error : new BackendTerminatedError(asError(error));
    }
  };
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}

/** Runs one attempt at a time once an attempt has failed; others get its failure. */
function createConnectGate() {
  let failed: { readonly error: Error; readonly at: number } | undefined;
  let trying = false;
  return async (attempt: () => Promise<Error | undefined>): Promise<Error | undefined> => {
    if (failed !== undefined && (trying || performance.now() - failed.at < RETRY_AFTER_MS))
      return failed.error;
    trying = true;
    const error = await attempt();
    trying = false;
    failed = error && { error, at: performance.now() };
    return error;
  };
}

/** int8 as a number, timestamptz as RFC 3339; the rest as pg has it. */
const parsers = new TypeOverrides();
parsers.setTypeParser(types.builtins.INT8, (text) => {
  const value = Number(text);
  if (!Number.isSafeInteger(value)) throw new RangeError(`${text} is beyond what a number holds`);
  return value;
});
parsers.setTypeParser(types.builtins.TIMESTAMPTZ, (text) => new Date(text).toISOString());
