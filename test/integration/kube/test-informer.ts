import { afterEach, vi } from 'vitest';
import { createInformer, type Informer, type InformerEvent } from '../../../src/kube/informer.ts';
import type { KubeResource } from '../../../src/kube/resource.ts';
import { type ConfigMap, logger } from './test-client.ts';

export interface TestInformerOptions {
  readonly resource: KubeResource<ConfigMap>;
  readonly namespace: string;
  readonly labelSelector?: string;
  readonly onEvent?: (event: InformerEvent<ConfigMap>) => void;
  readonly transform?: (object: ConfigMap) => ConfigMap;
  readonly silenceMs?: number;
}

/** An informer that runs until the test ends, with what it told. */
export function startInformer({ transform = (object) => object, ...rest }: TestInformerOptions) {
  const events: InformerEvent<ConfigMap>[] = [];
  const observer = { onProgress: vi.fn(), onRelist: vi.fn(), onRestart: vi.fn(), onHandlerError: vi.fn() };
  const informer = createInformer<ConfigMap, ConfigMap>({
    transform,
    indexers: { colour: ({ metadata }) => [metadata.labels?.['colour'] ?? 'none'] },
    onEvent: (event) => events.push(event),
    logger,
    observer,
    ...rest,
  });
  running.push(informer);
  informer.start();
  return { informer, events, observer };
}

const running: Informer<ConfigMap>[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((informer) => informer.stop()));
});

export function synced(informer: Informer<ConfigMap>): Promise<void> {
  return informer.waitForSync(AbortSignal.timeout(30_000));
}

/** What an informer told, as `type key`. */
export function told(events: readonly InformerEvent<ConfigMap>[]): string[] {
  return events.map(({ type, key }) => `${type} ${key}`);
}

export function namesOf(objects: readonly ConfigMap[]): string[] {
  return objects.map(({ metadata }) => metadata.name).sort();
}
