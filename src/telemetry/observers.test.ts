import { expect, test } from 'vitest';
import { createMetrics } from './metrics.ts';
import {
  observeDatabase,
  observeEvents,
  observeInformer,
  observeKubeClient,
  observeLeaderElection,
  observeWorkQueue,
} from './observers.ts';

test('what is reported can be read', async () => {
  const metrics = createMetrics({ defaultMetrics: false });
  observeKubeClient(metrics).onRequest('create', '409', 0.003);
  observeDatabase(metrics).onQuery('admit_store', 0.002, false);
  observeInformer(metrics, 'phaseruns').onProgress(3);
  observeInformer(metrics, 'phaseruns').onRestart('stale');
  observeWorkQueue(metrics, 'phaserun').onDepth(4);
  observeLeaderElection(metrics, 'lease').onLeading(true);
  observeEvents(metrics).onDropped();
  metrics.postgres.watchPool(() => ({ inUse: 2, idle: 1, waiting: 0 }));
  const text = await metrics.expose();
  for (const series of [
    'rest_client_requests_total{verb="create",code="409"} 1',
    'phaserun_postgres_query_errors_total{query="admit_store"} 1',
    'phaserun_informer_objects{resource="phaseruns"} 3',
    'phaserun_informer_relists_total{resource="phaseruns"} 0',
    'phaserun_informer_restarts_total{resource="phaseruns",reason="stale"} 1',
    'workqueue_depth{name="phaserun"} 4',
    'leader_election_master_status{name="lease"} 1',
    'phaserun_kubernetes_events_total{outcome="dropped"} 1',
    'phaserun_postgres_pool_connections{state="in_use"} 2',
  ]) {
    expect(text).toContain(series);
  }
});
