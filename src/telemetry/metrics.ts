import { collectDefaultMetrics, Registry } from 'prom-client';
import { createAuditMetrics } from './families/audit.ts';
import { createBuildMetrics } from './families/build.ts';
import { createControllerMetrics } from './families/controller.ts';
import { createDoctorMetrics } from './families/doctor.ts';
import { createEventMetrics } from './families/events.ts';
import { createHttpMetrics } from './families/http.ts';
import { createInboxMetrics } from './families/inbox.ts';
import { createInformerMetrics } from './families/informer.ts';
import { createKubernetesClientMetrics } from './families/kubernetes-client.ts';
import { createLeaderElectionMetrics } from './families/leader-election.ts';
import { createLimitMetrics } from './families/limits.ts';
import { createPostgresMetrics } from './families/postgres.ts';
import { createProductFamilies } from './families/product.ts';
import { createReconcileMetrics } from './families/reconcile.ts';
import { createRedisMetrics } from './families/redis.ts';
import { createRetentionMetrics } from './families/retention.ts';
import { createStorageMetrics } from './families/storage.ts';
import { createStoreMetrics } from './families/store.ts';
import { createWebhookMetrics } from './families/webhooks.ts';
import { createWorkQueueMetrics } from './families/work-queue.ts';
import { describeFamilies, type MetricFamily } from './metric-family.ts';
import { ProductMetrics } from './product-metrics.ts';

export interface MetricsOptions {
  /** Whether to watch the process too: event loop, garbage collection, memory. It installs observers that live as long as the process. */
  readonly defaultMetrics: boolean;
  /** Label combinations a family may have before `repo` becomes `other`. */
  readonly seriesLimit?: number;
}

/** Every metric of the program, each declared once, by subsystem. */
export interface Metrics {
  readonly build: ReturnType<typeof createBuildMetrics>;
  readonly http: ReturnType<typeof createHttpMetrics>;
  readonly store: ReturnType<typeof createStoreMetrics>;
  readonly product: ProductMetrics;
  readonly workQueue: ReturnType<typeof createWorkQueueMetrics>;
  readonly reconcile: ReturnType<typeof createReconcileMetrics>;
  readonly controller: ReturnType<typeof createControllerMetrics>;
  readonly inbox: ReturnType<typeof createInboxMetrics>;
  readonly informer: ReturnType<typeof createInformerMetrics>;
  readonly leaderElection: ReturnType<typeof createLeaderElectionMetrics>;
  readonly doctor: ReturnType<typeof createDoctorMetrics>;
  readonly events: ReturnType<typeof createEventMetrics>;
  readonly kubernetes: ReturnType<typeof createKubernetesClientMetrics>;
  readonly postgres: ReturnType<typeof createPostgresMetrics>;
  readonly redis: ReturnType<typeof createRedisMetrics>;
  readonly retention: ReturnType<typeof createRetentionMetrics>;
  readonly storage: ReturnType<typeof createStorageMetrics>;
  readonly limits: ReturnType<typeof createLimitMetrics>;
  readonly audit: ReturnType<typeof createAuditMetrics>;
  readonly webhooks: ReturnType<typeof createWebhookMetrics>;
  /** Content type of {@link Metrics.expose}. */
  readonly contentType: string;
  /** All metrics in the Prometheus text format. */
  expose(): Promise<string>;
  /** What is declared; to be asked before anything has happened. */
  families(): Promise<readonly MetricFamily[]>;
}

/** Declares every metric on a registry of its own; call it once a process. */
export function createMetrics({ defaultMetrics, seriesLimit = 2_000 }: MetricsOptions): Metrics {
  const registry = new Registry();
  if (defaultMetrics) collectDefaultMetrics({ register: registry });
  return {
    build: createBuildMetrics(registry),
    http: createHttpMetrics(registry),
    store: createStoreMetrics(registry),
    product: new ProductMetrics(createProductFamilies(registry), seriesLimit),
    workQueue: createWorkQueueMetrics(registry),
    reconcile: createReconcileMetrics(registry),
    controller: createControllerMetrics(registry),
    inbox: createInboxMetrics(registry),
    informer: createInformerMetrics(registry),
    leaderElection: createLeaderElectionMetrics(registry),
    doctor: createDoctorMetrics(registry),
    events: createEventMetrics(registry),
    kubernetes: createKubernetesClientMetrics(registry),
    postgres: createPostgresMetrics(registry),
    redis: createRedisMetrics(registry),
    retention: createRetentionMetrics(registry),
    storage: createStorageMetrics(registry),
    limits: createLimitMetrics(registry),
    audit: createAuditMetrics(registry),
    webhooks: createWebhookMetrics(registry),
    contentType: registry.contentType,
    expose: () => registry.metrics(),
    families: () => describeFamilies(registry),
  };
}
