import { randomUUIDv7 } from 'node:crypto';
import { interpretPhaseRun, type MeasuredRun } from '../../src/controller/interpret.ts';
import { digestOf } from '../../src/domain/digest.ts';
import { readResult } from '../../src/domain/reading.ts';
import { parseStoreRequest } from '../../src/domain/store-request.ts';
import type { NewPhaseRun, PhaseRun } from '../../src/resources/phase-run.ts';
import { draftPhaseRun } from '../../src/resources/phase-run-draft.ts';
import type { StoreBody } from './payload.ts';
import type { BenchStack } from './stack.ts';

/** A result in the forms that the bare calls need, as the product would make them of it. */
export interface BenchRun {
  readonly runId: string;
  /** What the API creates. */
  readonly draft: NewPhaseRun;
  /** What the controller archives, with the payload in hand however large it is. */
  readonly archivable: MeasuredRun;
}

export function makeBenchRun(stack: Pick<BenchStack, 'namespace' | 'tenant'>, body: StoreBody): BenchRun {
  const parsed = parseStoreRequest(body);
  if (!parsed.ok) throw new Error(`not the body of a store: ${JSON.stringify(parsed.errors)}`);
  const request = parsed.value;
  const { customerId } = stack.tenant;
  const runId = randomUUIDv7();
  const draft = draftPhaseRun({
    request,
    digest: digestOf(request.data),
    customerId,
    apiKeyId: 'bench',
    runId,
    order: body.issueNumber,
    namespace: stack.namespace,
    traceparent: `00-${'1'.repeat(32)}-${'1'.repeat(16)}-00`,
  });
  const { repository, phase, data } = request;
  const referred = readResult(phase, data);
  const archivable = interpretPhaseRun(asCreated(draft, runId), { customerId, repository, referred });
  return { runId, draft, archivable: { ...archivable, data } };
}

/** What the server would answer, as far as it decides what is archived. */
function asCreated(draft: NewPhaseRun, uid: string): PhaseRun {
  const answered = {
    uid,
    resourceVersion: '1',
    generation: 1,
    creationTimestamp: new Date().toISOString(),
  };
  // The schema of the kind has no defaults, so that what goes in comes out.
  return { ...draft, metadata: { ...draft.metadata, ...answered } } as PhaseRun;
}
