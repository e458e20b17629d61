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
