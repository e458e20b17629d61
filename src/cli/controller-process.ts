import { randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import type { Logger } from 'pino';
import { buildProbeApp } from '../api/probe-app.ts';
import type { Config } from '../config.ts';
import { createAuditJobs } from '../controller/audit-sealer.ts';
import { Controller } from '../controller/controller.ts';
import { createControllerObserver } from '../controller/controller-observer.ts';
import { createDoctorJob } from '../controller/doctor/doctor-job.ts';
import { createIdempotencyExpiry } from '../controller/idempotency-expiry.ts';
import { createInboxJobs } from '../controller/inbox-publisher.ts';
import { createMeasurements } from '../controller/measurements.ts';
import { createPostgresArchive } from '../controller/postgres-archive.ts';
import { createRetentionJobs } from '../controller/retention-jobs.ts';
import { createSessionExpiry } from '../controller/session-expiry.ts';
import { createWebhookJobs } from '../controller/webhook-jobs.ts';
import { createWebhookSender } from '../controller/webhook-sender.ts';
import { createKubeClient } from '../kube/client.ts';
import { createEventRecorder } from '../kube/event-recorder.ts';
import { createLeaderElector } from '../kube/leader-election.ts';
import { createPhaseRunWriter } from '../kube/phase-run-writer.ts';
import { NAMESPACES, type Namespace } from '../resources/namespace-binding.ts';
import { PHASE_RUNS, type PhaseRun } from '../resources/phase-run.ts';
import { createDatabase } from '../store/database.ts';
import { Leadership } from '../store/leadership.ts';
import { createLogger } from '../telemetry/logger.ts';
import { createMetrics } from '../telemetry/metrics.ts';
import {
  observeDatabase,
  observeEvents,
  observeKubeClient,
  observeLeaderElection,
} from '../telemetry/observers.ts';
import { createTracer } from '../telemetry/tracer.ts';
import { kubeSource } from './kube-source.ts';
import { databaseHealth, kubernetesHealth } from './process-health.ts';
import type { RunningProcess } from './running-process.ts';
import { readVersion } from './version.ts';

/**
 * Starts a controller. It starts whatever is down around it, says so in `/health`, and works once Postgres and Kubernetes
 * are there and the lease is its own.
 */
export async function startController(
  config: Config,
  logger: Logger = createLogger({ name: 'controller', level: config.logLevel }),
): Promise<RunningProcess> {
  const metrics = createMetrics({ defaultMetrics: true });
  const podName = config.podName ?? hostname();
  await using opened = new AsyncDisposableStack();

  const tracer = await createTracer({
    ...config.traces,
    serviceName: 'phaserun-controller',
    serviceVersion: readVersion(),
    instance: podName,
    logger,
  });
  opened.defer(() => tracer.close());

  const database = await createDatabase({
    url: config.databaseUrl,
    poolMax: config.databasePoolMax,
    applicationName: 'phaserun-controller',
    logger,
    observer: observeDatabase(metrics),
  });
  opened.defer(() => database.close());
  metrics.postgres.watchPool(() => database.connections());
  if (database.state() !== 'disabled')
    metrics.postgres.watchConnection(() => database.state() === 'connected');
  const client = createKubeClient(kubeSource(config), { logger, observer: observeKubeClient(metrics) });
  opened.defer(() => client.close());
  const events = createEventRecorder({
    client,
    controller: 'phases.rsolv.dev/controller',
    instance: podName.slice(0, 128),
    logger,
    observer: observeEvents(metrics),
  });
  opened.defer(() => events.close());

  const sender = createWebhookSender({ ...config.webhooks, userAgent: `PhaseRun/${readVersion()}` });
  opened.defer(() => sender.close());
  const { pool } = database;
  // Each delivery has a lease of its own, and what was sent is to be recorded, whoever leads by then.
  const webhooks = createWebhookJobs({ pool, sender, metrics, logger, ...config.webhooks });
  opened.defer(() => webhooks.finish());
  const leadership = new Leadership(pool);
  const ofLeader = leadership.connection;
  const phaseRuns = client.resource<PhaseRun>(PHASE_RUNS);
  const controller = new Controller({
    client,
    phaseRuns,
    namespaces: client.resource<Namespace>(NAMESPACES),
    archive: createPostgresArchive(database, leadership),
    observer: createControllerObserver(metrics, events),
    tracer,
    logger,
    concurrency: config.reconcileConcurrency,
    maxArchived: config.maxArchivedPhaseRuns,
    doctor: (objects) => createDoctorJob({ pool: ofLeader, phaseRuns, metrics, logger, ...objects }),
    jobs: [
      createSessionExpiry({ pool: ofLeader, metrics, retentionDays: config.sessionRetentionDays }),
      createIdempotencyExpiry({ pool: ofLeader, metrics }),
      ...createMeasurements({ pool: ofLeader, metrics }),
      ...createInboxJobs({
        pool: ofLeader,
        phaseRuns: createPhaseRunWriter(client),
        namespaces: client.resource<Namespace>(NAMESPACES),
        defaultNamespace: config.namespace,
        metrics,
        logger,
      }),
      ...createAuditJobs({ pool: ofLeader, metrics, logger, retentionDays: config.auditRetentionDays }),
      ...createRetentionJobs({
        pool: ofLeader,
        metrics,
        logger,
        settings: config.retention,
        livePhaseRuns: () => controller.livePhaseRuns(),
      }),
      ...webhooks.jobs,
    ],
    sessionRetentionDays: config.sessionRetentionDays,
  });
  controller.start();
  opened.defer(() => controller.stop());
  const elector = createLeaderElector({
    client,
    lease: { namespace: config.namespace, name: 'phaserun-controller' },
    identity: `${podName}_${randomBytes(4).toString('hex')}`,
    lead: (signal) => controller.lead(signal),
    logger,
    observer: observeLeaderElection(metrics, 'phaserun-controller'),
  });
  elector.start();
  opened.defer(() => elector.stop());

  let draining = false;
  const app = buildProbeApp({
    version: readVersion(),
    logger,
    metrics,
    exposeMetrics: config.prometheusMetrics,
    health: {
      database: databaseHealth(config, database),
      redis: undefined,
      kubernetes: kubernetesHealth(client),
      isDraining: () => draining,
    },
  });
  opened.defer(() => app.close());
  const url = await app.listen({ host: config.host, port: config.metricsPort });
  logger.info({ url, lease: `${config.namespace}/phaserun-controller` }, 'controller started');
  const running = opened.move();
  return {
    url,
    async close() {
      draining = true;
      await running.disposeAsync();
    },
  };
}
