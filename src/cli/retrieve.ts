import { Command } from 'commander';
import { type JsonObject, type PhaseData, PhaseDataClient } from '../client/phase-data-client.ts';
import type { Forge } from '../domain/phase.ts';
import { forgeOption, helpFooter, issueNumber } from './arguments.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { RUNNER_ENVIRONMENT } from './runner-environment.ts';

interface RetrieveOptions {
  readonly repo: string;
  readonly commit: string;
  readonly issue?: number;
  readonly forge?: Forge;
  readonly requirePlatform?: true;
  readonly output: OutputFormat;
}

/** `retrieve`: what the next phase calls to learn what the earlier ones found. */
export function retrieveCommand(): Command {
  return new Command('retrieve')
    .summary('retrieve what earlier phases found')
    .description(
      'Retrieves the scan of a commit and, with an issue, its validation and mitigation. Phases that have no result ' +
        'are left out; with none at all the answer is {}.',
    )
    .requiredOption('--repo <owner/name>', 'repository; GitLab groups may nest')
    .requiredOption('--commit <sha>', 'commit whose scan is wanted')
    .option('--issue <number>', 'issue whose validation and mitigation are wanted', issueNumber)
    .addOption(forgeOption())
    .option('--require-platform', 'fail instead of answering from this disk')
    .addOption(outputOption('json'))
    .addHelpText('after', HELP)
    .action(retrieve);
}

const HELP = helpFooter({
  examples: [
    'phaserun retrieve --repo acme/app --issue 7 --commit 7776c71',
    'phaserun retrieve --repo acme/app --commit 7776c71 | jq .scan.vulnerabilities',
    'phaserun retrieve --repo acme/app --issue 7 --commit 7776c71 -o table',
  ],
  environment: RUNNER_ENVIRONMENT,
});

async function retrieve({
  repo,
  commit,
  issue,
  forge,
  requirePlatform,
  output,
}: RetrieveOptions): Promise<void> {
  const client = new PhaseDataClient({ requirePlatform });
  const known = await client.retrievePhaseResults(repo, issue, commit, { forge });
  const results = toResults(known);
  if (results.length === 0)
    note(`Nothing is stored for ${repo} at ${commit}${issue ? ` or issue ${issue}` : ''}.`);
  print(render(output, LISTING, results, known));
}

interface PhaseResultRow {
  readonly phase: keyof PhaseData;
  /** `issue-<n>`; a scan has none. */
  readonly subject?: string;
  readonly data: JsonObject;
}

function toResults({ scan, validation = {}, mitigation = {} }: PhaseData): readonly PhaseResultRow[] {
  const byIssue = (phase: keyof PhaseData, results: Readonly<Record<string, JsonObject>>) =>
    Object.entries(results).map(([subject, data]) => ({ phase, subject, data }));
  return [
    ...(scan ? [{ phase: 'scan' as const, data: scan }] : []),
    ...byIssue('validation', validation),
    ...byIssue('mitigation', mitigation),
  ];
}

const LISTING: Listing<PhaseResultRow> = {
  name: ({ phase, subject }) => [phase, subject].filter(Boolean).join('/'),
  columns: [
    { header: 'PHASE', value: ({ phase }) => phase },
    { header: 'SUBJECT', value: ({ subject }) => subject },
    { header: 'BYTES', value: ({ data }) => Buffer.byteLength(JSON.stringify(data)) },
    { header: 'MEMBERS', value: ({ data }) => Object.keys(data).join(','), wide: true },
  ],
};
