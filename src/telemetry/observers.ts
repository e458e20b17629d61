import type { Metrics } from './metrics.ts';

/*
 * What src/kube and src/store report, turned into metrics. Each function answers an object of the shape that
 * the observed module declares as its observer.
 */

/** Counts calls to the Kubernetes API. */
export function observeKubeClient({ kubernetes }: Pick<Metrics, 'kubernetes'>) {
  return {
    onRequest(verb: string, code: string, seconds: number): void {
      kubernetes.requests.inc({ verb, code });
      kubernetes.duration.observe({ verb }, seconds);
    },
  };
}

/** Times statements by the name they have in the code. */
export function observeDatabase({ postgres }: Pick<Metrics, 'postgres'>) {
  return {
    onQuery(query: string, seconds: number, ok: boolean): void {
      postgres.queryDuration.observe({ query }, seconds);
      if (!ok) postgres.queryErrors.inc({ query });
    },
  };
}

/** Times round trips to Redis by what they are for. */
export function observeCache({ redis }: Pick<Metrics, 'redis'>) {
  return {
    onCommand(command: string, seconds: number, ok: boolean): void {
      redis.duration.observe({ command }, seconds);
      if (!ok) redis.errors.inc({ command });
    },
  };
}

/** Follows one informer; `resource` is the plural of what it watches. */
export function observeInformer({ informer }: Pick<Metrics, 'informer'>, resource: string) {
  informer.relists.inc({ resource }, 0);
  informer.handlerErrors.inc({ resource }, 0);
  return {
    onProgress(objects: number): void {
      informer.objects.set({ resource }, objects);
      informer.lastEvent.setToCurrentTime({ resource });
    },
    onRelist: () => informer.relists.inc({ resource }),
    onRestart: (reason: string) => informer.restarts.inc({ resource, reason }),
    onHandlerError: () => informer.handlerErrors.inc({ resource }),
  };
}

/** Follows one work queue. */
export function observeWorkQueue({ workQueue }: Pick<Metrics, 'workQueue'>, name: string) {
  workQueue.depth.set({ name }, 0);
  workQueue.adds.inc({ name }, 0);
  workQueue.retries.inc({ name }, 0);
  return {
    onDepth: (waiting: number) => workQueue.depth.set({ name }, waiting),
    onAdd: () => workQueue.adds.inc({ name }),
    onRetry: () => workQueue.retries.inc({ name }),
    onTake: (waitedSeconds: number) => workQueue.queueDuration.observe({ name }, waitedSeconds),
    onWorked: (seconds: number) => workQueue.workDuration.observe({ name }, seconds),
  };
}

/** Follows the election for one lease. */
export function observeLeaderElection({ leaderElection }: Pick<Metrics, 'leaderElection'>, name: string) {
  leaderElection.masterStatus.set({ name }, 0);
  return {
    onLeading: (isLeading: boolean) => leaderElection.masterStatus.set({ name }, isLeading ? 1 : 0),
  };
}

/** Counts the Kubernetes Events that were written and those that were lost. */
export function observeEvents({ events }: Pick<Metrics, 'events'>) {
  return {
    onWritten: () => events.total.inc({ outcome: 'written' }),
    onDropped: () => events.total.inc({ outcome: 'dropped' }),
  };
}
