import { type Comparison, compareInRounds } from '../comparison.ts';
import { makeHistory } from '../history.ts';
import { createRunner, retrieving } from '../runner.ts';
import type { Section } from '../section.ts';

interface RetrieveLoad extends Pick<Comparison, 'payloadBytes' | 'concurrency' | 'calls'> {
  readonly history: number;
}

/** All three phases are asked for, and so three payloads are answered. */
const LOADS: readonly RetrieveLoad[] = [
  { history: 10, payloadBytes: 1_000, concurrency: 1, calls: 300 },
  { history: 1_000, payloadBytes: 1_000, concurrency: 1, calls: 300 },
  { history: 100_000, payloadBytes: 1_000, concurrency: 1, calls: 300 },
  { history: 1_000, payloadBytes: 1_000, concurrency: 8, calls: 800 },
  { history: 1_000, payloadBytes: 1_000, concurrency: 32, calls: 800 },
  { history: 100_000, payloadBytes: 1_000, concurrency: 32, calls: 800 },
  { history: 1_000, payloadBytes: 1_000, concurrency: 128, calls: 768 },
  { history: 10, payloadBytes: 16_000, concurrency: 1, calls: 100 },
  { history: 10, payloadBytes: 256_000, concurrency: 1, calls: 20 },
  { history: 10, payloadBytes: 256_000, concurrency: 8, calls: 40 },
  { history: 10, payloadBytes: 2_500_000, concurrency: 1, calls: 4 },
];

/** Retrieves over HTTP beside a route that runs the same statement and nothing else. */
export const retrieveSection: Section = {
  name: 'retrieve',
  help: 'retrieve, 1 to 128 callers, 1 KB to 2.5 MB a phase, 10 to 100,000 rows of history, beside a bare Fastify route',
  async measure(stack, { quick, onProgress }) {
    const { signal } = stack;
    const connections = Math.max(...LOADS.map(({ concurrency }) => concurrency));
    const connect = async (role: 'api' | 'bare-route') => {
      const { url } = await stack.start(role);
      return createRunner(stack, { url, connections });
    };
    await using ours = await connect('api');
    await using bare = await connect('bare-route');
    const comparisons: Comparison[] = [];
    for (const [index, load] of LOADS.entries()) {
      onProgress(`making ${load.history} rows of ${load.payloadBytes / 1000} KB`);
      const queries = await makeHistory(stack, {
        repository: `history-${index}`,
        rows: load.history,
        payloadBytes: load.payloadBytes,
      });
      comparisons.push({
        ...load,
        pauseMs: 0,
        ours: retrieving(ours, queries),
        floors: [retrieving(bare, queries, 'bare route')],
      });
    }
    const calls = await compareInRounds(comparisons, {
      rounds: quick ? 1 : 5,
      share: quick ? 0.2 : 1,
      signal,
      onProgress,
    });
    const figures = calls.map(({ payloadBytes, concurrency, history, ratio }) => ({
      name: `retrieve, ${payloadBytes / 1000} KB, ${concurrency} at once, ${history} rows, p50`,
      value: ratio,
      unit: '× bare route',
      target: { atMost: 1.5 },
    }));
    return { calls, figures };
  },
};
