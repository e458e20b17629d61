import { Pool } from 'undici';
import type { Subject } from './measure.ts';
import { makeBody, type StoreBody } from './payload.ts';

/** Calls the API as runners do, over connections that are kept. */
export interface Runner extends AsyncDisposable {
  /** @throws Error for every answer but 200: durable but not a row in time is not what is measured */
  store(json: string): Promise<void>;
  retrieve(query: URLSearchParams): Promise<void>;
}

export function createRunner(api: {
  readonly url: string;
  readonly apiKey: string;
  readonly connections: number;
  /** Ends every call. */
  readonly signal: AbortSignal;
}): Runner {
  const { signal } = api;
  const pool = new Pool(api.url, { connections: api.connections, pipelining: 1 });
  const headers = { 'x-api-key': api.apiKey, 'content-type': 'application/json' };

  async function call(method: 'GET' | 'POST', path: string, body: string | null): Promise<void> {
    const answer = await pool.request({ method, path, headers, body, signal });
    const text = await answer.body.text();
    if (answer.statusCode === 200) return;
    throw new Error(`${method} ${path} answered ${answer.statusCode}: ${text.slice(0, 500)}`);
  }

  return {
    store: (json) => call('POST', '/api/v1/phases/store', json),
    retrieve: (query) => call('GET', `/api/v1/phases/retrieve?${query.toString()}`, null),
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}

/** Stores one result after another. */
export function storing(runner: Runner, nextBody: () => StoreBody): Subject {
  return {
    name: 'store',
    prepare() {
      const json = JSON.stringify(nextBody());
      return () => runner.store(json);
    },
  };
}

/** Stores all three phases of so many issues, and then retrieves them one after another. */
export async function retrieving(
  runner: Runner,
  known: { readonly forgeNamespace: string; readonly issues: number; readonly payloadBytes: number },
): Promise<Subject> {
  const queries: URLSearchParams[] = [];
  for (let index = 0; index < known.issues; index += 1) {
    queries.push(await storeIssue(runner, { ...known, issueNumber: FIRST_ISSUE + index }));
  }
  let asked = 0;
  return {
    name: 'retrieve',
    prepare() {
      asked += 1;
      const query = queries[asked % queries.length] ?? new URLSearchParams();
      return () => runner.retrieve(query);
    },
  };
}

/** Beyond those of the stores that are measured. */
const FIRST_ISSUE = 1_000_000;

async function storeIssue(
  runner: Runner,
  issue: { readonly forgeNamespace: string; readonly issueNumber: number; readonly payloadBytes: number },
): Promise<URLSearchParams> {
  for (const phase of ['scan', 'validation', 'mitigation'] as const) {
    await runner.store(JSON.stringify(makeBody({ ...issue, phase })));
  }
  const { repo, issueNumber, commitSha } = makeBody({ ...issue, phase: 'scan' });
  return new URLSearchParams({ repo, issue: String(issueNumber), commit: commitSha });
}
