import { lookup as lookupName } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { Agent, type Dispatcher, request } from 'undici';
import { isPublicAddress } from '../domain/public-address.ts';
import { signedHeaders, type WebhookMessage } from '../domain/webhook-signature.ts';
import { parseWebhookUrl } from '../domain/webhook-url.ts';

export interface WebhookSenderOptions {
  /** Lets http and addresses that are not public through. */
  readonly allowPrivateAddresses: boolean;
  readonly userAgent: string;
  /** Until an attempt counts as failed; 10 s unless said otherwise. */
  readonly timeoutMs?: number;
  /** How names are resolved; `node:dns` unless said otherwise. */
  readonly lookup?: typeof lookupName;
}

/** What became of one attempt. */
export type SendOutcome =
  | { readonly kind: 'answered'; readonly status: number }
  /** `error` is a few words for the owner of the subscription. */
  | { readonly kind: 'failed'; readonly error: string };

export interface WebhookSender {
  /** Makes one attempt; never rejects. */
  send(url: string, message: WebhookMessage): Promise<SendOutcome>;
  close(): Promise<void>;
}

const TIMEOUT_MS = 10_000;
/** How long a connection is kept for the next event. */
const KEEP_ALIVE_MS = 4_000;
/** What is read of an answer, so that its connection can be used again; what it says is of no interest. */
const ANSWER_BYTES = 16 * 1024;
const ANSWER_MS = 1_000;

/**
 * Sends events to whatever address a customer named, and to nothing in our own network: a connection is made to the very
 * address that was looked at, so that a name which resolves otherwise a moment later changes nothing. Redirects are
 * not followed.
 */
export function createWebhookSender(options: WebhookSenderOptions): WebhookSender {
  const { allowPrivateAddresses, userAgent, timeoutMs = TIMEOUT_MS, lookup = lookupName } = options;
  const isAllowed = allowPrivateAddresses ? () => true : isPublicAddress;
  const dispatcher = new Agent({
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    connect: { timeout: timeoutMs, lookup: lookupAllowed(lookup, isAllowed) },
  });
  return {
    async send(url, message) {
      // What was allowed when the subscription was made may not be any more; and a literal address is never looked up.
      const parsed = parseWebhookUrl(url, { allowPrivateAddresses });
      if (!parsed.ok) return { kind: 'failed', error: `the URL ${parsed.message}` };
      try {
        const response = await request(parsed.url, {
          dispatcher,
          method: 'POST',
          headers: {
            ...signedHeaders(message),
            'content-type': 'application/cloudevents+json; charset=utf-8',
            'user-agent': userAgent,
          },
          body: message.body,
          signal: AbortSignal.timeout(timeoutMs),
        });
        await discard(response);
        return { kind: 'answered', status: response.statusCode };
      } catch (error) {
        return { kind: 'failed', error: describeFailure(error) };
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** The answer is its status; a body that does not end takes nothing away from that. */
async function discard({ body }: Dispatcher.ResponseData): Promise<void> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  await body.dump({ limit: ANSWER_BYTES, signal }).catch(() => undefined);
}

class AddressRefusedError extends Error {
  override readonly name = 'AddressRefusedError';
}

/** Resolves a name for a connection, which goes to what is answered; fails where any of its addresses is not allowed. */
function lookupAllowed(lookup: typeof lookupName, isAllowed: (address: string) => boolean): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, []);
      const [first] = addresses;
      if (first === undefined || !addresses.every(({ address }) => isAllowed(address)))
        return callback(new AddressRefusedError('the host is not on the public internet'), []);
      if (options.all === true) return callback(null, addresses);
      callback(null, first.address, first.family);
    });
  };
}

const FAILURES: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name of the host is not known',
  EAI_AGAIN: 'the name of the host could not be resolved',
  ECONNREFUSED: 'the connection was refused',
  ECONNRESET: 'the connection was closed before an answer',
  EPIPE: 'the connection was closed before an answer',
  UND_ERR_SOCKET: 'the connection was closed before an answer',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the host cannot be reached',
  ETIMEDOUT: 'no answer in time',
  UND_ERR_CONNECT_TIMEOUT: 'no answer in time',
};

/** Says it without addresses: what a name resolves to within our network is nothing for customers to learn. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return 'the request failed';
  if (error instanceof AddressRefusedError) return error.message;
  if (error.name === 'TimeoutError') return 'no answer in time';
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  return (code && FAILURES[code]) ?? `the request failed: ${code ?? error.name}`;
}
