import { Command } from 'commander';
import { adminCustomerCommand } from './admin-customer.ts';
import { adminForgeAccountCommand } from './admin-forge-account.ts';
import { adminKeyCommand } from './admin-key.ts';
import { adminNamespaceCommand } from './admin-namespace.ts';
import { adminProfileCommand } from './admin-profile.ts';

/** `admin`: who may do what. It talks to Postgres and Kubernetes itself, so it works without the API. */
export function adminCommand(): Command {
  return new Command('admin')
    .summary('manage customers, keys, forge accounts, namespaces and profiles')
    .description(
      'Manages who may do what: customers, the API keys of their runners, the forge accounts whose repositories they ' +
        'may use, and the Kubernetes namespaces whose PhaseRuns are theirs; and what agents of a role can do.',
    )
    .addCommand(adminCustomerCommand())
    .addCommand(adminKeyCommand())
    .addCommand(adminForgeAccountCommand())
    .addCommand(adminNamespaceCommand())
    .addCommand(adminProfileCommand())
    .addHelpText('after', FIRST_STEPS);
}

const FIRST_STEPS = `
A new customer, from nothing to the first result:
  phaserun admin customer create acme
  phaserun admin forge-account add acme --customer acme --forge github
  phaserun admin forge-account verify acme --customer acme --forge github
  phaserun admin key create --customer acme
  phaserun admin namespace bind acme --customer acme    # for kubectl apply`;
