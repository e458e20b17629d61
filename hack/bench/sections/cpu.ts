import { measure } from '../measure.ts';
import { createBodies } from '../payload.ts';
import { CALLERS } from '../phase-runs.ts';
import { cpuSeconds } from '../process-usage.ts';
import { createRunner, storing } from '../runner.ts';
import type { Section } from '../section.ts';

const PAYLOAD_BYTES = 1_000;

/** What every process of the path uses of the CPU while results are stored over HTTP. */
export const cpuSection: Section = {
  name: 'cpu',
  help: 'CPU seconds per 1,000 results of API, controller, kube-apiserver, etcd and Postgres, 16 callers storing 1 KB',
  async measure(stack, { quick, onProgress }) {
    const { signal, tenant, pids } = stack;
    const calls = quick ? 300 : 2_000;
    const controller = await stack.start('controller');
    const api = await stack.start('api');
    await using runner = createRunner(stack, { url: api.url, connections: CALLERS });
    const nextBody = createBodies(tenant.forgeNamespace);
    const store = storing(runner, () => nextBody(PAYLOAD_BYTES));
    await measure(store, { calls: calls / 5, concurrency: CALLERS, pauseMs: 0 }, signal);
    const { kubeApiserver, etcd, postgres } = pids();
    const processes = {
      api: api.pid,
      controller: controller.pid,
      'kube-apiserver': kubeApiserver,
      etcd,
      postgres,
    };
    const used = () => Promise.all(Object.values(processes).map(cpuSeconds));
    onProgress(`${calls} results`);
    const before = await used();
    const { seconds } = await measure(store, { calls, concurrency: CALLERS, pauseMs: 0 }, signal);
    const after = await used();
    const perThousand = after.map((value, index) => ((value - (before[index] ?? 0)) * 1_000) / calls);
    return {
      figures: [
        ...Object.keys(processes).map((name, index) => ({
          name: `CPU of ${name} per 1,000 results`,
          value: perThousand[index] ?? Number.NaN,
          unit: 's',
        })),
        {
          name: 'CPU of all per 1,000 results',
          value: perThousand.reduce((sum, value) => sum + value, 0),
          unit: 's',
        },
        { name: `stores, ${CALLERS} at once`, value: calls / seconds, unit: 'runs/s' },
      ],
    };
  },
};
