import { pino } from 'pino';
import { createInboxJobs } from '../../../src/controller/inbox-publisher.ts';
import { createPhaseRunWriter } from '../../../src/kube/phase-run-writer.ts';
import { NAMESPACES, type Namespace } from '../../../src/resources/namespace-binding.ts';
import type { ApiUnderTest } from './api-under-test.ts';

/** One round of what the leader does for the inbox, each as if by a leader of its own; the test says when. */
export function publisherOf({ client, pool, metrics, namespace }: ApiUnderTest): () => Promise<void> {
  return async () => {
    const [publish] = createInboxJobs({
      pool,
      phaseRuns: createPhaseRunWriter(client),
      namespaces: client.resource<Namespace>(NAMESPACES),
      defaultNamespace: namespace,
      metrics,
      logger: pino({ level: 'silent' }),
    });
    await publish?.run(new AbortController().signal);
  };
}
