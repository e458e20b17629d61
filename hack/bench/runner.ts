import { Pool } from 'undici';
import { PHASES } from '../../src/domain/phase.ts';
import type { Subject } from './measure.ts';
import { makeBody, type StoreBody } from './payload.ts';
import type { BenchStack } from './stack.ts';

/** Calls the API as runners do, over connections that are kept. */
export interface Runner extends AsyncDisposable {
  /** @throws Error for every answer but 200: durable but not a row in time is not what is measured */
  store(json: string): Promise<void>;
  /** @throws Error for every answer but 200, and for one that lacks a phase */
  retrieve(query: URLSearchParams): Promise<void>;
}

/** A runner of the stack's tenant, whose calls end with the stack's signal. */
export function createRunner(
  { signal, tenant }: Pick<BenchStack, 'signal' | 'tenant'>,
  api: { readonly url: string; readonly connections: number },
): Runner {
  const pool = new Pool(api.url, { connections: api.connections, pipelining: 1 });
  const headers = { 'x-api-key': tenant.apiKey, 'content-type': 'application/json' };

  async function call(method: 'GET' | 'POST', path: string, body: string | null): Promise<string> {
    const answer = await pool.request({ method, path, headers, body, signal });
    const text = await answer.body.text();
    if (answer.statusCode === 200) return text;
    throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text.slice(0, 500)}`);
  }

  const names = PHASES.map((phase) => `"${phase}":`);
  return {
    async store(json) {
      await call('POST', '/api/v1/phases/store', json);
    },
    async retrieve(query) {
      const text = await call('GET', `/api/v1/phases/retrieve?${query.toString()}`, null);
      if (names.every((name) => text.includes(name))) return;
      throw new Error(`not all phases are in the answer for ${query.toString()}: ${text.slice(0, 500)}`);
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}

/** Stores one result after another. */
export function storing(runner: Runner, nextBody: () => StoreBody, name = 'store'): Subject {
  return {
    name,
    prepare() {
      const json = JSON.stringify(nextBody());
      return () => runner.store(json);
    },
  };
}

/** Asks one query after another, over and over. */
export function retrieving(runner: Runner, queries: readonly URLSearchParams[], name = 'retrieve'): Subject {
  let asked = 0;
  return {
    name,
    prepare() {
      asked += 1;
      const query = queries[asked % queries.length] ?? new URLSearchParams();
      return () => runner.retrieve(query);
    },
  };
}

/** Beyond those of the stores that are measured. */
const FIRST_KNOWN_ISSUE = 1_000_000;

/** Stores all three phases of so many issues; the queries ask for what is then known of each. */
export async function storeKnownIssues(
  runner: Runner,
  known: { readonly forgeNamespace: string; readonly issues: number; readonly payloadBytes: number },
): Promise<readonly URLSearchParams[]> {
  const queries: URLSearchParams[] = [];
  for (let index = 0; index < known.issues; index += 1) {
    const issue = { ...known, issueNumber: FIRST_KNOWN_ISSUE + index };
    for (const phase of PHASES) await runner.store(JSON.stringify(makeBody({ ...issue, phase })));
    const { repo, issueNumber, commitSha } = makeBody({ ...issue, phase: 'scan' });
    queries.push(new URLSearchParams({ repo, issue: String(issueNumber), commit: commitSha }));
  }
  return queries;
}
