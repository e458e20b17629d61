import { beforeAll, describe, expect, inject, it } from 'vitest';
import { freshDatabase } from '../../fixtures/database.ts';
import { freshNamespace } from '../../fixtures/kubernetes.ts';
import { type CliResult, runCli } from './run-cli.ts';

const { url } = await freshDatabase();
let acmeId: string;
let globexId: string;

beforeAll(async () => {
  acmeId = await createCustomer('acme');
  globexId = await createCustomer('globex');
});

describe('admin namespace', () => {
  it('binds a namespace, lists it, and unbinds it', async () => {
    const namespace = await freshNamespace();
    expect(await admin(`namespace bind ${namespace} --customer acme -o json`)).toMatchObject({
      code: 0,
      stdout: `${JSON.stringify({ namespace, customerId: acmeId }, null, 2)}\n`,
    });
    expect(await bindings()).toContainEqual({ namespace, customerId: acmeId });
    expect(await admin(`namespace unbind ${namespace}`)).toEqual({
      code: 0,
      stdout: '',
      stderr: `Namespace ${namespace} is bound to no customer.\n`,
    });
    expect(await bindings()).not.toContainEqual(expect.objectContaining({ namespace }));
  });

  it('binds it to the same customer again', async () => {
    const namespace = await freshNamespace({ customerId: acmeId });
    expect(await admin(`namespace bind ${namespace} --customer ${acmeId}`)).toMatchObject({ code: 0 });
  });

  it('takes it from another customer only when told to', async () => {
    const namespace = await freshNamespace({ customerId: acmeId });
    expect(await admin(`namespace bind ${namespace} --customer globex`)).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(new RegExp(`is bound to customer ${acmeId}\n.*--overwrite`)),
    });
    expect(await admin(`namespace bind ${namespace} --customer globex --overwrite`)).toMatchObject({
      code: 0,
    });
    expect(await bindings()).toContainEqual({ namespace, customerId: globexId });
  });

  it.each([
    {
      args: 'namespace bind nowhere --customer acme',
      want: /no Kubernetes namespace nowhere\n.*kubectl create namespace/,
    },
    { args: 'namespace unbind nowhere', want: /no Kubernetes namespace nowhere/ },
    { args: 'namespace bind default --customer nobody', want: /no customer "nobody"\n.*admin customer list/ },
  ])('refuses $args', async ({ args, want }) => {
    expect(await admin(args)).toMatchObject({ code: 1, stdout: '', stderr: expect.stringMatching(want) });
  });

  it('says what to check when no cluster answers', async () => {
    const { code, stderr } = await runCli(['admin', 'namespace', 'list'], {
      env: { KUBECONFIG: '/nowhere/config' },
    });
    expect(code).toBe(1);
    expect(stderr).toMatch(/Check KUBECONFIG/);
  });
});

function admin(args: string): Promise<CliResult> {
  const env = { DATABASE_URL: url, KUBECONFIG: inject('kubeconfigPath') };
  return runCli(['admin', ...args.split(' ')], { env });
}

async function createCustomer(name: string): Promise<string> {
  return JSON.parse((await admin(`customer create ${name} -o json`)).stdout).id;
}

async function bindings(): Promise<unknown> {
  return JSON.parse((await admin('namespace list -o json')).stdout);
}
