import { Command } from 'commander';
import { adminAuditCommand } from './admin-audit.ts';
import { adminCustomerCommand } from './admin-customer.ts';
import { adminForgeAccountCommand } from './admin-forge-account.ts';
import { adminKeyCommand } from './admin-key.ts';
import { adminLegalHoldCommand } from './admin-legal-hold.ts';
import { adminNamespaceCommand } from './admin-namespace.ts';
import { adminProfileCommand } from './admin-profile.ts';
import { adminRetentionCommand } from './admin-retention.ts';
import { adminTenantCommand } from './admin-tenant.ts';
import { adminWebhookCommand } from './admin-webhook.ts';

/** `admin`: who may do what. It talks to Postgres and Kubernetes itself, so it works without the API. */
export function adminCommand(): Command {
  return new Command('admin')
    .summary(
      'manage tenants, customers, keys, forge accounts, namespaces, profiles, webhooks, the audit and retention',
    )
    .description(
      'Manages who may do what: customers, the API keys of their runners, the forge accounts whose repositories they ' +
        'may use, and the Kubernetes namespaces whose PhaseRuns are theirs; what agents of a role can do, ' +
        'where customers are told of what happens, and whether the audit is intact; and how long ' +
        'results are kept.',
    )
    .addCommand(adminTenantCommand())
    .addCommand(adminCustomerCommand())
    .addCommand(adminKeyCommand())
    .addCommand(adminForgeAccountCommand())
    .addCommand(adminNamespaceCommand())
    .addCommand(adminProfileCommand())
    .addCommand(adminWebhookCommand())
    .addCommand(adminAuditCommand())
    .addCommand(adminRetentionCommand())
    .addCommand(adminLegalHoldCommand())
    .addHelpText('after', FIRST_STEPS);
}

const FIRST_STEPS = `
A new customer, from nothing to the first result:
  phaserun admin tenant create acme --forge-account github/acme --namespace acme

The same, step by step:
  phaserun admin customer create acme
  phaserun admin forge-account add acme --customer acme --forge github
  phaserun admin forge-account verify acme --customer acme --forge github
  phaserun admin key create --customer acme
  phaserun admin namespace bind acme --customer acme    # for kubectl apply`;
