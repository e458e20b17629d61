import type { Client } from 'pg';
import { appendAccesses } from '../../../src/store/audit-accesses.ts';
import { listUnsealedChains, sealAuditEvents } from '../../../src/store/audit-chain.ts';
import { appendAuditEvent } from '../../../src/store/audit-events.ts';
import { cutAuditChains, deleteCutEvents } from '../../../src/store/audit-retention.ts';
import { listAuditChains, verifyAuditChain } from '../../../src/store/audit-verification.ts';
import type { Connection } from '../../../src/store/database.ts';

/** Calls every function of the store that keeps the audit. */
export async function callAuditStatements(pool: Connection, customerId: string): Promise<void> {
  await appendAuditEvent(pool, { eventType: 'test.by_nobody', metadata: {} });
  await appendAccesses(pool, []);
  await listUnsealedChains(pool);
  await listAuditChains(pool);
  for (const owner of [customerId, null]) {
    await sealAuditEvents(pool, owner, 10);
    await verifyAuditChain(pool, owner);
  }
  await cutAuditChains(pool, 365);
  await deleteCutEvents(pool, 10);
}

/** What reads all there is on purpose: who has a chain, and which are to be cut. */
export const AUDIT_READS_ALL = ['list_audit_chains', 'cut_audit_chains'];

/** 100,000 sealed events of one customer, and a hundred that are not yet. */
export async function fillAudit(client: Client): Promise<void> {
  await client.query(`
    INSERT INTO audit_events (customer_id, event_type, chain_sequence, chain_hash)
    SELECT md5('customer0')::uuid, 'phaserun.inserted', n, sha256('x') FROM generate_series(1, 100000) n;
    INSERT INTO audit_events (customer_id, event_type)
    SELECT md5('customer0')::uuid, 'phaserun.inserted' FROM generate_series(1, 100) n;
    INSERT INTO audit_chains (customer_id, sequence, hash)
    SELECT md5('customer' || n)::uuid, 100000, sha256('x') FROM generate_series(0, 9999) n;
    INSERT INTO audit_checkpoints (customer_id, sequence, hash)
    SELECT md5('customer' || n % 100)::uuid, 1 + n / 100, sha256('x') FROM generate_series(0, 9999) n;
  `);
}
