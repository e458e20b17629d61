/** Asks on and on, each time once: what is not answered with a 2xx has failed. Says how it went when told to stop. */
import { setTimeout as sleep } from 'node:timers/promises';
import { readOptions, say, untilTold } from './conversation.ts';

export interface SteadyOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** `owner/name`. */
  readonly repo: string;
  /** Who ask at once. */
  readonly callers: number;
}

export interface SteadyOutcome {
  readonly answered: number;
  readonly failed: readonly string[];
}

const { apiUrl, apiKey, repo, callers } = readOptions() as SteadyOptions;
const failed: string[] = [];
let answered = 0;
const over = new AbortController();

async function ask(path: string, body?: object): Promise<void> {
  try {
    const response = await fetch(`${apiUrl}${path}`, {
      method: body === undefined ? 'GET' : 'POST',
      // As a job that asks once: a connection that is kept may be closed just when it is used again.
      headers: {
        'x-api-key': apiKey,
        connection: 'close',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (response.ok) answered += 1;
    else failed.push(`${new Date().toISOString()} ${path} ${response.status} ${text}`);
  } catch (error) {
    const { message, cause } = error as Error;
    failed.push(`${new Date().toISOString()} ${path} ${message} ${String(cause)}`);
  }
}

async function call(caller: number): Promise<void> {
  for (let index = 0; !over.signal.aborted; index += 1) {
    const commitSha = `${caller}-${index}`;
    await ask('/api/v1/phases/store', { phase: 'scan', repo, commitSha, data: { caller, index } });
    await ask(`/api/v1/phases/retrieve?repo=${repo}&commit=${commitSha}`);
    await sleep(50);
  }
}

const calling = Array.from({ length: callers }, (_, caller) => call(caller));
say('asking');
await untilTold('stop');
over.abort();
await Promise.all(calling);
say({ answered, failed } satisfies SteadyOutcome);
process.exit();
