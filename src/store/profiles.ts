import { sql } from 'slonik';
import { z } from 'zod';
import type { Connection } from './database.ts';

const profileRow = z.object({
  role: z.string(),
  capabilities: z.array(z.string()),
  metadata: z.record(z.string(), z.unknown()),
  updatedAt: z.string(),
});

/** What agents of a role can do; the same for every customer of the installation. */
export type Profile = z.infer<typeof profileRow>;

const columns = sql.fragment`role, capabilities, metadata, updated_at AS "updatedAt"`;

export function findProfile(connection: Connection, role: string): Promise<Profile | null> {
  return connection.maybeOne(sql.prepared('find_profile', profileRow)`
    SELECT ${columns} FROM profiles WHERE role = ${role}
  `);
}

/** All of them, by role. */
export function listProfiles(connection: Connection): Promise<readonly Profile[]> {
  return connection.any(sql.prepared('list_profiles', profileRow)`
    SELECT ${columns} FROM profiles ORDER BY role
  `);
}

/** Makes a profile, or puts it in the place of the one before. */
export function putProfile(
  connection: Connection,
  { role, capabilities, metadata }: Pick<Profile, 'role' | 'capabilities' | 'metadata'>,
): Promise<Profile> {
  return connection.one(sql.prepared('put_profile', profileRow)`
    INSERT INTO profiles (role, capabilities, metadata)
    VALUES (${role}, ${sql.array([...capabilities], 'text')}, ${JSON.stringify(metadata)}::jsonb)
    ON CONFLICT (role) DO UPDATE
      SET capabilities = EXCLUDED.capabilities, metadata = EXCLUDED.metadata, updated_at = now()
    RETURNING ${columns}
  `);
}
