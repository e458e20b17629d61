import { randomUUID } from 'node:crypto';
import { PHASES } from '../../../src/domain/phase.ts';
import type { Connection } from '../../../src/store/database.ts';
import { listKeptResults } from '../../../src/store/kept-results.ts';
import { findStoredPayload } from '../../../src/store/payloads.ts';
import { findRowContent, listRowContents, restoreRowContent } from '../../../src/store/row-contents.ts';
import { listSessionsBehind, listUnrecordedSessions } from '../../../src/store/session-discrepancies.ts';

/** Calls every function of the store that compares what is kept. */
export async function callDoctorStatements(pool: Connection, customerId: string): Promise<void> {
  const sha256 = 'ab'.repeat(32);
  await listKeptResults(pool, [randomUUID()]);
  await findStoredPayload(pool, { customerId, sha256 });
  await listSessionsBehind(pool, 10);
  await listUnrecordedSessions(pool, 10);
  for (const phase of PHASES) {
    const row = { phase, id: randomUUID() };
    await listRowContents(pool, { phase });
    await findRowContent(pool, row);
    await restoreRowContent(pool, { ...row, customerId, sha256, json: '{}' });
  }
}

/** What reads all there is on purpose: `phaserun doctor` looks at every session. */
export const DOCTOR_READS_ALL = ['list_unrecorded_sessions'];
