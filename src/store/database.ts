import {
  type CommonQueryMethods,
  createPool,
  type DatabasePool,
  type DatabaseTransactionConnection,
  type Interceptor,
  SchemaValidationError,
  sql,
} from 'slonik';
import { z } from 'zod';
import { createDriver } from './driver.ts';
import { toDatabaseError } from './errors.ts';

/** What a query function needs of a pool or a transaction. */
export type Connection = Pick<CommonQueryMethods, 'any' | 'maybeOne' | 'one' | 'query' | 'transaction'>;

/** `disabled`: no URL is set. `disconnected`: the last attempt failed, or none was made yet. */
export type DatabaseState = 'connected' | 'disabled' | 'disconnected';

export interface DatabaseObserver {
  /** Called after each statement with the name it has in the code and how long the server took. */
  onQuery(name: string, seconds: number, ok: boolean): void;
}

export interface DatabaseOptions {
  readonly url: string | undefined;
  readonly poolMax: number;
  /** When the server ends a statement; default 30,000. */
  readonly statementTimeoutMs?: number;
  /** What the server's own views show. */
  readonly applicationName: string;
  readonly logger: {
    warn(fields: object, message: string): void;
    info(fields: object, message: string): void;
  };
  readonly observer?: DatabaseObserver;
}

export interface Database {
  /** Every failure is a DatabaseError; without a server it is one of kind `unavailable`, at once. */
  readonly pool: Connection;
  /** Connections that there may be. */
  readonly poolMax: number;
  state(): DatabaseState;
  /** Asks the server; true when it answered. Never rejects. */
  ping(): Promise<boolean>;
  /**
   * Asks the server if the last attempt to reach it failed, so that nobody begins what would be in vain.
   * @throws DatabaseError when it does not answer
   */
  reach(): Promise<void>;
  connections(): { readonly inUse: number; readonly idle: number; readonly waiting: number };
  /** Waits for what runs, then closes every connection. */
  close(): Promise<void>;
}

/**
 * Makes the pool of a process. No server is needed for that: connections are made when a query wants one, and
 * made anew after the server was away.
 */
export async function createDatabase(options: DatabaseOptions): Promise<Database> {
  let state: DatabaseState = options.url === undefined ? 'disabled' : 'disconnected';
  const onReachable = (reachable: boolean) => {
    const next = reachable ? 'connected' : 'disconnected';
    if (state === 'disabled' || state === next) return;
    state = next;
    if (reachable) options.logger.info({}, 'database connected');
    else options.logger.warn({}, 'database disconnected');
  };
  const slonik = await createPool(options.url ?? '', {
    driverFactory: createDriver({ ...options, onReachable }),
    interceptors: [validateRows, ...(options.observer ? [observeQueries(options.observer)] : [])],
    maxPoolSize: options.poolMax,
    idleTimeout: 60_000,
    // The driver tries once, and says so; a caller that wants more knows how long it may wait.
    connectionRetryLimit: 0,
    // No statement of ours leaves anything in its session but prepared statements, which are to stay.
    resetConnection: () => Promise.resolve(),
  });
  const pool = translateErrors(slonik);
  const ask = () => pool.query(sql.prepared('ping', z.object({}))`SELECT`);
  return {
    pool,
    poolMax: options.poolMax,
    state: () => state,
    ping: () =>
      ask().then(
        () => true,
        () => false,
      ),
    async reach() {
      if (state !== 'connected') await ask();
    },
    connections: () => {
      const { acquiredConnections, idleConnections, waitingClients } = slonik.state();
      return { inUse: acquiredConnections, idle: idleConnections, waiting: waitingClients };
    },
    close: () => slonik.end(),
  };
}

/** The one door through which errors leave the database. */
function translateErrors(slonik: DatabasePool): Connection {
  const translated = <T>(result: Promise<T>): Promise<T> =>
    result.catch((error: unknown) => {
      throw toDatabaseError(error);
    });
  return {
    any: (query) => translated(slonik.any(query)),
    maybeOne: (query) => translated(slonik.maybeOne(query)),
    one: (query) => translated(slonik.one(query)),
    query: (query) => translated(slonik.query(query)),
    transaction: (body, ...limits) =>
      translated(slonik.transaction((transaction) => body(takingTurns(transaction)), ...limits)),
  };
}

/**
 * A transaction that refuses a statement while another one is under way: beside one that fails it would be carried out after the
 * ROLLBACK, by itself, without a lock.
 */
function takingTurns(transaction: DatabaseTransactionConnection): DatabaseTransactionConnection {
  let underWay: Promise<unknown> | undefined;
  const inTurn = async <T>(statement: () => Promise<T>): Promise<T> => {
    if (underWay !== undefined) {
      // Nor does the ROLLBACK that follows get before its answer.
      await Promise.allSettled([underWay]);
      throw new Error('another statement of this transaction is under way: await it first');
    }
    const result = statement();
    underWay = result;
    try {
      return await result;
    } finally {
      underWay = undefined;
    }
  };
  const guarded: Pick<Connection, 'any' | 'maybeOne' | 'one' | 'query'> = {
    any: (query) => inTurn(() => transaction.any(query)),
    maybeOne: (query) => inTurn(() => transaction.maybeOne(query)),
    one: (query) => inTurn(() => transaction.one(query)),
    query: (query) => inTurn(() => transaction.query(query)),
  };
  // All else is as it was; its methods are not its own, which a spread would copy alone.
  return Object.assign(Object.create(transaction) as DatabaseTransactionConnection, guarded);
}

/** slonik carries a row's schema along, but leaves it to an interceptor to apply it. */
const validateRows: Interceptor = {
  name: 'validate-rows',
  transformRow: ({ resultParser }, query, row) => {
    const result = resultParser?.['~standard'].validate(row);
    if (result === undefined) return row;
    if (result instanceof Promise) throw new TypeError('the schema of a row must be synchronous');
    if (result.issues) throw new SchemaValidationError(query, row, [...result.issues]);
    return result.value as typeof row;
  },
};

/** Statements are known by the name of their prepared statement; their text stays out of metrics. */
function observeQueries(observer: DatabaseObserver): Interceptor {
  const report = ({ queryInputTime }: { queryInputTime: bigint | number }, name = 'unnamed', ok: boolean) => {
    observer.onQuery(name, Number(process.hrtime.bigint() - BigInt(queryInputTime)) / 1e9, ok);
    return null;
  };
  return {
    name: 'observe-queries',
    afterQueryExecution: (context, query) => report(context, query.name, true),
    queryExecutionError: (context, query) => report(context, query.name, false),
  };
}
