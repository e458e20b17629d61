import { z } from 'zod';

/** A series at one time. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** An alert as Prometheus sees it now. */
export interface AlertState {
  readonly name: string;
  readonly state: 'inactive' | 'pending' | 'firing';
}

/** Prometheus could not answer; the message is its own. */
export class PrometheusError extends Error {
  override readonly name = 'PrometheusError';
}

const sample = z
  .object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })
  .transform(({ metric, value }): Sample => ({ labels: metric, value: toNumber(value[1]) }));

const answer = z.union([
  z.object({
    status: z.literal('success'),
    data: z.discriminatedUnion('resultType', [
      z.object({ resultType: z.literal('vector'), result: z.array(sample) }),
      z.object({ resultType: z.literal('scalar'), result: z.tuple([z.number(), z.string()]) }),
    ]),
  }),
  z.object({ status: z.literal('error'), error: z.string() }),
]);

const rules = z.object({
  data: z.object({
    groups: z.array(
      z.object({
        rules: z.array(
          z.object({
            name: z.string(),
            state: z.enum(['inactive', 'pending', 'firing']),
            health: z.enum(['ok', 'err', 'unknown']),
            lastError: z.string().optional(),
          }),
        ),
      }),
    ),
  }),
});

/**
 * Evaluates an expression as of now.
 * @throws PrometheusError
 */
export async function queryPrometheus(url: string, expression: string): Promise<readonly Sample[]> {
  const response = await fetch(`${url}/api/v1/query`, {
    method: 'POST',
    body: new URLSearchParams({ query: expression }),
  });
  const parsed = answer.parse(await response.json());
  if (parsed.status === 'error') throw new PrometheusError(`${parsed.error} in ${expression}`);
  const { data } = parsed;
  return data.resultType === 'vector' ? data.result : [{ labels: {}, value: toNumber(data.result[1]) }];
}

/** A number that there is one of; undefined without any. */
export async function queryNumber(url: string, expression: string): Promise<number | undefined> {
  return (await queryPrometheus(url, expression))[0]?.value;
}

/**
 * What became of every alert when it was last evaluated.
 * @throws PrometheusError where one could not be
 */
export async function listAlerts(url: string): Promise<readonly AlertState[]> {
  const { data } = rules.parse(await (await fetch(`${url}/api/v1/rules?type=alert`)).json());
  const all = data.groups.flatMap((group) => group.rules);
  const broken = all.find(({ health }) => health === 'err');
  if (broken !== undefined)
    throw new PrometheusError(`${broken.name}: ${broken.lastError ?? 'no reason given'}`);
  return all.map(({ name, state }) => ({ name, state }));
}

function toNumber(text: string): number {
  if (text === '+Inf') return Infinity;
  return text === '-Inf' ? -Infinity : Number(text);
}
