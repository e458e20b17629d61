import { Argument, Command, Option } from 'commander';
import {
  PhaseDataClient,
  type PhaseMetadata,
  type PhaseSpelling,
  type StoreResult,
} from '../client/phase-data-client.ts';
import { type Forge, PHASE_SPELLINGS, RUN_STATUSES, type RunStatus } from '../domain/phase.ts';
import { forgeOption, helpFooter, issueNumber } from './arguments.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, note, type OutputFormat, outputOption, print, render } from './output.ts';
import { readResultData } from './result-data.ts';
import { RUNNER_ENVIRONMENT } from './runner-environment.ts';

interface StoreOptions {
  readonly repo: string;
  readonly commit: string;
  readonly issue?: number;
  readonly branch?: string;
  readonly pipelineRunId?: string;
  readonly forge?: Forge;
  readonly status: RunStatus;
  readonly data?: string;
  readonly requirePlatform?: true;
  readonly output: OutputFormat;
}

/** `store`: what a runner calls when a phase is done. */
export function storeCommand(): Command {
  return new Command('store')
    .summary('store the result of a phase')
    .description(
      'Stores the result of a phase. When the platform cannot be reached, the result is kept in .rsolv/phase-data and ' +
        'sent by the next call that reaches it.',
    )
    .addArgument(new Argument('<phase>', 'which phase found it').choices(Object.keys(PHASE_SPELLINGS)))
    .requiredOption('--repo <owner/name>', 'repository; GitLab groups may nest')
    .requiredOption('--commit <sha>', 'commit that was examined; "unknown" without git')
    .option('--issue <number>', 'issue it is about; required but for a scan', issueNumber)
    .option('--branch <name>', 'branch of the commit')
    .option('--pipeline-run-id <id>', 'id of the CI run; lets a later store move a running one forward')
    .addOption(forgeOption())
    .addOption(
      new Option('--status <status>', 'how far the phase came').choices(RUN_STATUSES).default('completed'),
    )
    .option('--data <file>', 'JSON object with what the phase found; - reads stdin')
    .option('--require-platform', 'fail instead of keeping the result on this disk')
    .addOption(outputOption())
    .addHelpText('after', HELP)
    .action(store);
}

const HELP = helpFooter({
  examples: [
    'phaserun store scan --repo acme/app --commit "$(git rev-parse HEAD)" --data scan.json',
    'phaserun store validation --repo acme/app --issue 7 --commit 7776c71 --data - < validation.json',
    'phaserun store mitigation --repo acme/app --issue 7 --commit 7776c71 --status running --pipeline-run-id 9182',
  ],
  environment: RUNNER_ENVIRONMENT,
});

async function store(phase: PhaseSpelling, options: StoreOptions): Promise<void> {
  const client = new PhaseDataClient({ requirePlatform: options.requirePlatform });
  const result = await client.storePhaseResults(phase, await readData(options), toMetadata(options));
  if (result.storage === 'platform' && result.resent > 0)
    note(`Sent ${result.resent} earlier result(s) from this disk first.`);
  print(render(options.output, LISTING, [result], result));
}

/** A completed phase found something, if only that there is nothing: storing `{}` by mistake would hide the result. */
async function readData({ data, status }: StoreOptions) {
  if (data !== undefined) return readResultData(data);
  if (status !== 'completed') return {};
  throw new CommandFailure('a completed result needs --data <file>, or --data - to read stdin', {
    exitCode: 2,
  });
}

function toMetadata({
  repo,
  commit,
  issue,
  branch,
  pipelineRunId,
  forge,
  status,
}: StoreOptions): PhaseMetadata {
  return {
    repo,
    commitSha: commit,
    status,
    ...(issue === undefined ? {} : { issueNumber: issue }),
    ...(branch === undefined ? {} : { branch }),
    ...(pipelineRunId === undefined ? {} : { pipelineRunId }),
    ...(forge === undefined ? {} : { forge }),
  };
}

const LISTING: Listing<StoreResult> = {
  name: (result) => `${result.phase}/${result.storage === 'platform' ? result.id : result.file}`,
  columns: [
    { header: 'PHASE', value: ({ phase }) => phase },
    { header: 'STORAGE', value: ({ storage }) => storage },
    { header: 'ID', value: (result) => (result.storage === 'platform' ? result.id : undefined) },
    {
      header: 'SESSION',
      value: (result) => (result.storage === 'platform' ? result.sessionState : undefined),
    },
    { header: 'PERSISTED', value: (result) => result.storage === 'platform' && result.persisted, wide: true },
    { header: 'FILE', value: (result) => (result.storage === 'local' ? result.file : undefined), wide: true },
  ],
};
