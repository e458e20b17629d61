import { loadConfig } from '../config.ts';
import type { RetentionSettings } from '../domain/retention.ts';
import type { Connection } from '../store/database.ts';
import { findRetentionSettings } from '../store/retention-policies.ts';

/** What the controller goes by, whatever this environment says; else, before one has run, what it says. */
export async function settingsInForce(connection: Connection): Promise<RetentionSettings> {
  return (await findRetentionSettings(connection)) ?? loadConfig().retention;
}
