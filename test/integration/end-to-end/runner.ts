import type { RoleProcess } from '../../fixtures/processes.ts';
import type { Tenant } from './world.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests say what they expect of it
  readonly body: any;
}

type Api = Pick<RoleProcess, 'url'>;
type Key = Pick<Tenant, 'apiKey'>;

/** Stores a result as a runner does: one request, and no other try. */
export async function store(
  api: Api,
  { apiKey }: Key,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  return answer(
    await fetch(`${api.url}/api/v1/phases/store`, {
      method: 'POST',
      headers: { 'x-api-key': apiKey, 'content-type': 'application/json', ...headers },
      body: JSON.stringify(body),
    }),
  );
}

/** Retrieves what is known, as a runner does. */
export async function retrieve(api: Api, { apiKey }: Key, query: Record<string, string>): Promise<Answer> {
  const url = `${api.url}/api/v1/phases/retrieve?${new URLSearchParams(query).toString()}`;
  return answer(await fetch(url, { headers: { 'x-api-key': apiKey } }));
}

async function answer(response: Response): Promise<Answer> {
  return { status: response.status, headers: response.headers, body: await response.json() };
}
