import { createHash, randomBytes } from 'node:crypto';

/** What is kept of a key. */
interface ApiKeyDigest {
  readonly keyId: string;
  /** Hex SHA-256 of the secret. A fast hash does for a secret of 256 random bits: there is nothing to guess. */
  readonly secretSha256: string;
}

/** What the holder of a key shows; whether it is good, the database says. */
export interface ApiKeyCredentials extends ApiKeyDigest {
  readonly kind: 'key';
}

const ID_LENGTH = 16;
const SECRET_BYTES = 32;
/** Characters that 32 bytes need in base 62. */
const SECRET_LENGTH = 43;

/** A new key, `rsolv_<id>_<secret>`; the whole of it is to be shown once and kept nowhere. */
export function makeApiKey(): ApiKeyDigest & { readonly apiKey: string } {
  const keyId = toBase62(randomBytes(12)).padStart(ID_LENGTH, '0').slice(-ID_LENGTH);
  const secret = toBase62(randomBytes(SECRET_BYTES)).padStart(SECRET_LENGTH, '0');
  return { apiKey: `rsolv_${keyId}_${secret}`, keyId, secretSha256: digestSecret(secret) };
}

/** Reads what a caller presents as its key; undefined when it does not look like one of ours. */
export function parseApiKey(text: string): ApiKeyCredentials | undefined {
  const [, keyId, secret] = /^rsolv_([0-9A-Za-z]{1,32})_([0-9A-Za-z]{1,128})$/.exec(text) ?? [];
  return keyId && secret ? { kind: 'key', keyId, secretSha256: digestSecret(secret) } : undefined;
}

function digestSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function toBase62(bytes: Buffer): string {
  let digits = '';
  for (let rest = BigInt(`0x${bytes.toString('hex')}`); rest > 0n; rest /= 62n)
    digits = `${DIGITS[Number(rest % 62n)]}${digits}`;
  return digits;
}
