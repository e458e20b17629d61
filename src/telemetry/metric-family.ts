import type { MetricType, Registry } from 'prom-client';

/** A metric as it is declared. */
export interface MetricFamily {
  readonly name: string;
  readonly type: MetricType;
  readonly help: string;
  /** Its labels, each with its values where they are a closed set that exists before anything has happened; else with none. */
  readonly labels: Readonly<Record<string, readonly string[]>>;
}

/** Every metric of a registry in which nothing has happened yet, in the order of their declaration. */
export async function describeFamilies(registry: Registry): Promise<readonly MetricFamily[]> {
  const declared = new Map(registry.getMetricsAsArray().map((metric) => [metric.name, labelsOf(metric)]));
  const metrics = await registry.getMetricsAsJSON();
  return metrics.map(({ name, type, help, values }) => {
    const labels = (declared.get(name) ?? []).map((label) => [
      label,
      isOfRuntime(name) ? [] : [...new Set(values.flatMap(({ labels: of }) => of[label] ?? []))].map(String),
    ]);
    return { name, type, help, labels: Object.fromEntries(labels) };
  });
}

/** What the library watches has the values of this very machine. */
function isOfRuntime(name: string): boolean {
  return name.startsWith('nodejs_') || name.startsWith('process_');
}

/** The library's types leave them out. */
function labelsOf(metric: object): readonly string[] {
  return 'labelNames' in metric && Array.isArray(metric.labelNames) ? metric.labelNames.map(String) : [];
}
