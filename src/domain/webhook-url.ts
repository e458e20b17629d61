import { isIP } from 'node:net';
import { isPublicAddress } from './public-address.ts';

const URL_LIMIT = 2048;

export interface WebhookUrlRules {
  /** Lets http and addresses that are not public through, for receivers in one's own network. */
  readonly allowPrivateAddresses: boolean;
}

export type ParsedWebhookUrl =
  | { readonly ok: true; readonly url: string }
  | { readonly ok: false; readonly message: string };

/**
 * Reads where a customer wants its events to go. What a name resolves to is looked at again at every delivery; an address
 * is refused here already, in whatever spelling: parsing makes `0x7f.1` and `2130706433` the same 127.0.0.1.
 */
export function parseWebhookUrl(text: string, rules: WebhookUrlRules): ParsedWebhookUrl {
  const url = text.length <= URL_LIMIT ? URL.parse(text) : null;
  if (url === null) return refuse(`must be a URL of at most ${URL_LIMIT} characters`);
  if (url.protocol !== 'https:' && !(rules.allowPrivateAddresses && url.protocol === 'http:'))
    return refuse('must start with https://');
  if (url.username !== '' || url.password !== '') return refuse('must hold no user name and no password');
  if (url.hash !== '') return refuse('must hold no fragment');
  if (!rules.allowPrivateAddresses && isForbiddenHost(url.hostname))
    return refuse('must name a host on the public internet');
  return url.href.length <= URL_LIMIT
    ? { ok: true, url: url.href }
    : refuse(`must be a URL of at most ${URL_LIMIT} characters`);
}

/** Whether a host, as a parsed URL has it, is an address that is not public; what names resolve to is not looked at. */
export function isForbiddenHost(hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  return isIP(address) !== 0 && !isPublicAddress(address);
}

function refuse(message: string): ParsedWebhookUrl {
  return { ok: false, message };
}
