/** One request as a runner makes it; says status and body. */
import { readOptions, say } from './conversation.ts';

export interface AskOptions {
  readonly url: string;
  readonly apiKey: string;
  /** Sent by POST. */
  readonly body?: object;
}

const { url, apiKey, body } = readOptions() as AskOptions;
const response = await fetch(url, {
  method: body === undefined ? 'GET' : 'POST',
  headers: { 'x-api-key': apiKey, ...(body !== undefined && { 'content-type': 'application/json' }) },
  ...(body !== undefined && { body: JSON.stringify(body) }),
});
say({ status: response.status, body: await response.json() });
process.exit();
