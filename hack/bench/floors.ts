import { randomUUID, randomUUIDv7 } from 'node:crypto';
import { sql } from 'slonik';
import { z } from 'zod';
import { digestOf } from '../../src/domain/digest.ts';
import { parseStoreRequest } from '../../src/domain/store-request.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { KubeObject } from '../../src/kube/kube-object.ts';
import { draftPhaseRun } from '../../src/resources/phase-run-draft.ts';
import type { Connection } from '../../src/store/database.ts';
import type { Subject } from './measure.ts';
import { makePayload, type StoreBody } from './payload.ts';
import { TWIN_RUNS } from './twin-kind.ts';

/** The PhaseRun that the API makes of a body, created as its twin kind: no controller takes it up. */
export function bareCreate(
  client: KubeClient,
  target: { readonly namespace: string; readonly customerId: string },
  nextBody: () => StoreBody,
): Subject {
  const twins = client.resource<KubeObject>(TWIN_RUNS);
  let made = 0;
  return {
    name: 'bare create',
    prepare() {
      made += 1;
      const { metadata, spec } = draftOf(nextBody(), { ...target, order: made });
      return () => twins.create({ metadata, spec });
    },
  };
}

function draftOf(
  body: StoreBody,
  place: { readonly namespace: string; readonly customerId: string; readonly order: number },
) {
  const parsed = parseStoreRequest(body);
  if (!parsed.ok) throw new Error(`not the body of a store: ${JSON.stringify(parsed.errors)}`);
  return draftPhaseRun({
    ...place,
    request: parsed.value,
    digest: digestOf(parsed.value.data),
    apiKeyId: 'bench',
    runId: randomUUIDv7(),
    traceparent: `00-${'1'.repeat(32)}-${'1'.repeat(16)}-00`,
  });
}

/** Makes the table of the bare statements: a key, a payload, and no index but that of the key. */
export async function createBareTable(connection: Connection): Promise<void> {
  await connection.query(sql.unsafe`CREATE TABLE bench_rows (id uuid PRIMARY KEY, data jsonb NOT NULL)`);
}

/** One row committed by one statement. */
export function bareCommit(connection: Connection, payloadBytes: number): Subject {
  let made = 0;
  return {
    name: 'bare commit',
    prepare() {
      made += 1;
      const data = JSON.stringify(makePayload(made, payloadBytes));
      return () => insertRow(connection, randomUUIDv7(), data);
    },
  };
}

/** One row read by its key, of `rows` rows made for it. */
export async function bareSelect(
  connection: Connection,
  { rows, payloadBytes }: { readonly rows: number; readonly payloadBytes: number },
): Promise<Subject> {
  const ids = Array.from({ length: rows }, () => randomUUID());
  for (const [index, id] of ids.entries()) {
    await insertRow(connection, id, JSON.stringify(makePayload(index, payloadBytes)));
  }
  let asked = 0;
  return {
    name: 'bare select',
    prepare() {
      asked += 1;
      const id = ids[asked % ids.length] ?? '';
      return () => selectRow(connection, id);
    },
  };
}

async function insertRow(connection: Connection, id: string, data: string): Promise<void> {
  await connection.query(sql.prepared('bench_insert', z.object({}))`
    INSERT INTO bench_rows (id, data) VALUES (${id}, ${data}::jsonb)
  `);
}

async function selectRow(connection: Connection, id: string): Promise<string> {
  const row = await connection.one(sql.prepared('bench_select', z.object({ data: z.string() }))`
    SELECT data::text FROM bench_rows WHERE id = ${id}
  `);
  return row.data;
}
