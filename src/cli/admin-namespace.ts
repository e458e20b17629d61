import { Command } from 'commander';
import { z } from 'zod';
import { compact } from '../domain/compact.ts';
import { CUSTOMER_ID_ANNOTATION } from '../resources/annotations.ts';
import { customerOfNamespace, type Namespace } from '../resources/namespace-binding.ts';
import { findCustomer } from '../store/customers.ts';
import { helpFooter } from './arguments.ts';
import { appendAdminEvent } from './audited.ts';
import { requireCustomer } from './customer-reference.ts';
import { bindingAnnotation, bindNamespace, namespacesOf, requireNamespace } from './namespace-binding.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { DATABASE_ENVIRONMENT, requireDatabaseUrl, withDatabase } from './with-database.ts';
import { KUBERNETES_ENVIRONMENT, withKubernetes } from './with-kubernetes.ts';

/** `admin namespace`: which customer the PhaseRuns of a Kubernetes namespace belong to. */
export function adminNamespaceCommand(): Command {
  const group = new Command('namespace')
    .summary('bind Kubernetes namespaces to customers')
    .description(
      'PhaseRuns that are applied with kubectl belong to the customer that their namespace is bound to; in a namespace ' +
        `that is bound to none they are not accepted. The binding is the annotation ${CUSTOMER_ID_ANNOTATION}.`,
    );
  group.addCommand(bindCommand());
  group.addCommand(unbindCommand());
  group.addCommand(listCommand());
  return group;
}

function bindCommand(): Command {
  return new Command('bind')
    .description('Binds a namespace to a customer. Runs that are already archived stay whose they were.')
    .argument('<namespace>', 'Kubernetes namespace; it must exist')
    .requiredOption('--customer <name|id>', 'customer that its PhaseRuns belong to')
    .option('--overwrite', 'take the namespace from the customer that it is bound to now')
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({
        examples: ['phaserun admin namespace bind acme --customer "Acme Inc."'],
        environment: { ...DATABASE_ENVIRONMENT, ...KUBERNETES_ENVIRONMENT },
      }),
    )
    .action(bind);
}

interface BindOptions {
  readonly customer: string;
  readonly overwrite?: true;
  readonly output: OutputFormat;
}

async function bind(name: string, { customer, overwrite, output }: BindOptions): Promise<void> {
  const bound = await withDatabase(async (connection) => {
    const { id: customerId } = await requireCustomer(connection, customer);
    return withKubernetes((client) =>
      bindNamespace(connection, client, name, { customerId, overwrite: overwrite ?? false }),
    );
  });
  print(render(output, LISTING, [toBinding(bound.value)], toBinding(bound.value)));
}

function unbindCommand(): Command {
  return new Command('unbind')
    .description('Unbinds a namespace: PhaseRuns applied to it from now on are not accepted.')
    .argument('<namespace>', 'Kubernetes namespace')
    .addHelpText(
      'after',
      helpFooter({
        examples: ['phaserun admin namespace unbind acme'],
        environment: { ...DATABASE_ENVIRONMENT, ...KUBERNETES_ENVIRONMENT },
      }),
    )
    .action(unbind);
}

async function unbind(name: string): Promise<void> {
  requireDatabaseUrl();
  const owner = await withKubernetes(async (client) => {
    const namespaces = namespacesOf(client);
    const before = await requireNamespace(namespaces, name);
    await namespaces.mergePatch({ name }, { metadata: bindingAnnotation(null) });
    return customerOfNamespace(before);
  });
  await withDatabase(async (connection) => {
    // An annotation may name whomever; only a customer has an audit.
    const customer = isUuid(owner) ? await findCustomer(connection, owner) : null;
    const metadata = compact({ namespace: name, boundTo: owner });
    await appendAdminEvent(connection, {
      eventType: 'namespace.unbound',
      metadata,
      ...(customer !== null && { customerId: customer.id }),
    });
  });
  note(`Namespace ${name} is bound to no customer.`);
}

function isUuid(text: string | undefined): text is string {
  return z.guid().safeParse(text).success;
}

function listCommand(): Command {
  return new Command('list')
    .description('Lists the namespaces that are bound to a customer.')
    .addOption(outputOption())
    .addHelpText(
      'after',
      helpFooter({ examples: ['phaserun admin namespace list'], environment: KUBERNETES_ENVIRONMENT }),
    )
    .action(async ({ output }: { output: OutputFormat }) => {
      const all = await withKubernetes((client) => namespacesOf(client).list());
      const bindings = all.filter((namespace) => customerOfNamespace(namespace)).map(toBinding);
      if (bindings.length === 0)
        note('No namespace is bound. How to bind one: phaserun admin namespace bind --help');
      print(render(output, LISTING, bindings));
    });
}

interface Binding {
  readonly namespace: string;
  readonly customerId: string | undefined;
}

function toBinding(namespace: Namespace): Binding {
  return { namespace: namespace.metadata.name, customerId: customerOfNamespace(namespace) };
}

const LISTING: Listing<Binding> = {
  name: ({ namespace }) => `namespace/${namespace}`,
  columns: [
    { header: 'NAMESPACE', value: ({ namespace }) => namespace },
    { header: 'CUSTOMER-ID', value: ({ customerId }) => customerId },
  ],
};
