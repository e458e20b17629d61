import { kubectl } from './commands.ts';
import { phaserun } from './release.ts';

/** A customer with a GitHub account of the same name, a key, and a namespace that is bound to it. */
export interface Tenant {
  readonly name: string;
  readonly customerId: string;
  readonly apiKey: string;
}

/** By the command line, as an administrator makes it. */
export async function makeTenant(name: string, namespace?: string): Promise<Tenant> {
  const admin = <T>(...args: readonly string[]) => phaserun<T>(['admin', ...args], namespace);
  const { id } = await admin<{ id: string }>('customer', 'create', name);
  await admin('forge-account', 'add', name, '--customer', name);
  await admin('forge-account', 'verify', name, '--customer', name);
  const { apiKey } = await admin<{ apiKey: string }>('key', 'create', '--customer', name);
  return { name, customerId: id, apiKey };
}

/** A namespace whose PhaseRuns are the customer's. */
export async function bindNamespace(namespace: string, { customerId }: Tenant): Promise<void> {
  const annotations = { 'phases.rsolv.dev/customer-id': customerId };
  const manifest = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace, annotations } };
  await kubectl(['apply', '-f', '-'], { stdin: JSON.stringify(manifest) });
}
