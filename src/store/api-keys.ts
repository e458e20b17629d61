import { sql } from 'slonik';
import { z } from 'zod';
import { makeApiKey } from './api-key.ts';
import type { Connection } from './database.ts';
import { SCOPES, type Scope } from './principal.ts';

const apiKeyRow = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(SCOPES)),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
  revokedAt: z.string().nullable(),
  /** To the minute or so: uses are noted in batches. */
  lastUsedAt: z.string().nullable(),
});

export type ApiKeyRow = z.infer<typeof apiKeyRow>;

/** A key that was just made; `apiKey` is the key itself, which nothing can show again. */
export type NewApiKey = ApiKeyRow & { readonly apiKey: string };

export interface ApiKeyOptions {
  readonly customerId: string;
  /** For people, to tell keys apart. */
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** RFC 3339; absent: it does not expire. */
  readonly expiresAt?: string;
}

const columns = sql.fragment`
  id, name, scopes,
  created_at AS "createdAt", expires_at AS "expiresAt", revoked_at AS "revokedAt", last_used_at AS "lastUsedAt"`;

/** @param made what the key is to be; default: a new one */
export async function createApiKey(
  connection: Connection,
  options: ApiKeyOptions,
  made: ReturnType<typeof makeApiKey> = makeApiKey(),
): Promise<NewApiKey> {
  const { apiKey, keyId, secretSha256 } = made;
  const row = await connection.one(sql.prepared('create_api_key', apiKeyRow)`
    INSERT INTO api_keys (id, customer_id, name, secret_sha256, scopes, expires_at)
    VALUES (
      ${keyId}, ${options.customerId}, ${options.name}, decode(${secretSha256}, 'hex'),
      ${sql.array([...options.scopes], 'text')}, ${options.expiresAt ?? null}::timestamptz
    )
    RETURNING ${columns}
  `);
  return { ...row, apiKey };
}

/** The newest first. */
export function listApiKeys(connection: Connection, customerId: string): Promise<readonly ApiKeyRow[]> {
  return connection.any(sql.prepared('list_api_keys', apiKeyRow)`
    SELECT ${columns} FROM api_keys WHERE customer_id = ${customerId} ORDER BY created_at DESC, id
  `);
}

/** Ends a key at once; null when the customer has none of this id. */
export function revokeApiKey(
  connection: Connection,
  customerId: string,
  keyId: string,
): Promise<ApiKeyRow | null> {
  return connection.maybeOne(sql.prepared('revoke_api_key', apiKeyRow)`
    UPDATE api_keys SET revoked_at = coalesce(revoked_at, now())
    WHERE id = ${keyId} AND customer_id = ${customerId}
    RETURNING ${columns}
  `);
}

/**
 * Makes a key with the name and scopes of another, which stays good for `overlapSeconds` more, so that those who
 * use it have time to change.
 * @returns null when the customer has no such key, or it is over already
 */
export async function rotateApiKey(
  connection: Connection,
  customerId: string,
  keyId: string,
  { overlapSeconds }: { readonly overlapSeconds: number },
): Promise<NewApiKey | null> {
  const { apiKey, ...successor } = makeApiKey();
  const row = await connection.maybeOne(sql.prepared('rotate_api_key', apiKeyRow)`
    WITH predecessor AS (
      UPDATE api_keys
      SET expires_at = least(expires_at, now() + make_interval(secs => ${overlapSeconds}))
      WHERE id = ${keyId} AND customer_id = ${customerId}
        AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())
      RETURNING customer_id, name, scopes
    )
    INSERT INTO api_keys (id, customer_id, name, secret_sha256, scopes)
    SELECT ${successor.keyId}, customer_id, name, decode(${successor.secretSha256}, 'hex'), scopes FROM predecessor
    RETURNING ${columns}
  `);
  return row && { ...row, apiKey };
}

export interface ApiKeyUse {
  readonly keyId: string;
  /** RFC 3339. */
  readonly usedAt: string;
}

/** Notes when keys were last used; one statement for many uses. */
export async function touchApiKeys(connection: Connection, uses: readonly ApiKeyUse[]): Promise<void> {
  await connection.query(sql.prepared('touch_api_keys', z.object({}))`
    UPDATE api_keys SET last_used_at = used.last
    FROM (
      SELECT id, max(at) AS last
      FROM unnest(
        ${sql.array(
          uses.map(({ keyId }) => keyId),
          'text',
        )},
        ${sql.array(
          uses.map(({ usedAt }) => usedAt),
          'timestamptz',
        )}
      ) AS use (id, at)
      GROUP BY id
    ) AS used
    WHERE api_keys.id = used.id AND (api_keys.last_used_at IS NULL OR api_keys.last_used_at < used.last)
  `);
}
