import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { PhaseDataClient } from '../client/phase-data-client.ts';
import type { DevStack } from '../embedded/dev-stack.ts';
import { findCustomerByName } from '../store/customers.ts';
import { createDatabase } from '../store/database.ts';
import { type Execution, listExecutions } from '../store/execution-history.ts';
import type { DevFile } from './dev-file.ts';
import { CommandFailure } from './failure.ts';
import { type Listing, print, render } from './output.ts';

const ISSUE = 1204;
const COMMIT = 'd78cd354d90374c749425617db6a602ecc1a32fb';

/** One vulnerability of a sample repository, as the three phases see it. */
const RESULTS = {
  scan: {
    vulnerabilities: [
      {
        type: 'code_injection',
        severity: 'critical',
        file: 'app/routes/contributions.js',
        line: 32,
        cweId: 'CWE-94',
      },
    ],
    commitHash: COMMIT,
  },
  validation: {
    validated: true,
    redTests: [{ testName: 'contributions must not evaluate the request body' }],
    testResults: { vulnerableCommit: { redTestsPassed: [false], allPassed: false } },
    language: 'javascript',
    framework: 'mocha',
  },
  mitigation: {
    fixed: true,
    prUrl: 'https://github.com/acme/nodegoat/pull/4101',
    filesChanged: 2,
    preTestPassed: false,
    postTestPassed: true,
  },
} as const;

/**
 * Plays the three phases as three jobs would, each with a client of its own, and shows what is known at the end: what a
 * later phase retrieves, the rows, the session and the PhaseRuns.
 * @throws {CommandFailure} when the phases do not come back, or the session is not completed
 */
export async function playDemo(file: DevFile, stack: DevStack): Promise<void> {
  const repo = `${file.forgeNamespace}/nodegoat`;
  print(`\nA demonstration: three jobs work on issue ${ISSUE} of ${repo}.\n\n`);
  for (const phase of ['scan', 'validation', 'mitigation'] as const) {
    const metadata = {
      repo,
      commitSha: COMMIT,
      branch: 'main',
      ...(phase === 'scan' ? {} : { issueNumber: ISSUE }),
    };
    const stored = await connect(file).storePhaseResults(phase, RESULTS[phase], metadata);
    print(`  ${phase.padEnd(10)} stored  ${'id' in stored ? stored.id : stored.storage}\n`);
  }
  const known = await connect(file).retrievePhaseResults(repo, ISSUE, COMMIT);
  const phases = Object.keys(known ?? {});
  print(`\nA fourth job retrieves ${phases.join(', ')}:\n\n${JSON.stringify(known, null, 2)}\n`);

  const rows = await listRows(file, repo);
  print('\nThe rows in Postgres, and the session of each:\n\n');
  print(render('wide', ROWS, rows));
  print('\nThe PhaseRuns in Kubernetes:\n\n');
  print(await getPhaseRuns(file, stack));
  const session = rows.find(({ phase }) => phase === 'mitigation');
  if (phases.length !== 3 || session?.sessionState !== 'completed') {
    throw new CommandFailure('the demonstration did not end as it should', {
      advice: 'The log in the data directory says more.',
    });
  }
  print(`\nThe session of issue ${ISSUE} is ${session.sessionState} (${session.sessionId}).\n`);
}

/** Each job has a disk of its own, with nothing on it that waits to be sent. */
function connect({ apiKey, apiUrl }: DevFile): PhaseDataClient {
  const folder = join(tmpdir(), `phaserun-demo-${randomUUID()}`);
  return new PhaseDataClient({ apiKey, baseUrl: apiUrl, usePlatform: true, requirePlatform: true, folder });
}

async function listRows(
  { databaseUrl, forgeNamespace }: DevFile,
  repository: string,
): Promise<readonly Execution[]> {
  const logger = { info: () => undefined, warn: () => undefined };
  const database = await createDatabase({
    url: databaseUrl,
    poolMax: 1,
    applicationName: 'phaserun-dev',
    logger,
  });
  try {
    const customer = await findCustomerByName(database.pool, forgeNamespace);
    return await listExecutions(database.pool, { customerId: customer?.id ?? '', repository, limit: 10 });
  } finally {
    await database.close();
  }
}

const ROWS: Listing<Execution> = {
  name: ({ phase, id }) => `${phase}/${id}`,
  columns: [
    { header: 'PHASE', value: ({ phase }) => phase },
    { header: 'STATUS', value: ({ status }) => status },
    { header: 'EXECUTION', value: ({ id }) => id },
    { header: 'SESSION', value: ({ sessionId }) => sessionId ?? undefined },
    { header: 'STATE', value: ({ sessionState }) => sessionState ?? undefined },
  ],
};

async function getPhaseRuns({ kubeconfig, namespace }: DevFile, { assets }: DevStack): Promise<string> {
  const kubectl = assets.kubectl ?? 'kubectl';
  const { stdout } = await promisify(execFile)(kubectl, [
    '--kubeconfig',
    kubeconfig,
    'get',
    'phr',
    '-n',
    namespace,
  ]);
  return stdout;
}
