/**
 * Stores results and reads them back as runners do, and judges in the end whether each answer was kept: the load and the
 * checker of test/faults. Says its counts when it is told to stop, and the verdict when it is told to judge.
 */
import { mkdir } from 'node:fs/promises';
import { createDatabase } from '../../../src/store/database.ts';
import { createLogger } from '../../../src/telemetry/logger.ts';
import { judge } from '../../faults/checker.ts';
import { type Evidence, gatherEvidence } from '../../faults/evidence.ts';
import { createHistory } from '../../faults/history.ts';
import { startLoad } from '../../faults/load.ts';
import { createRandom } from '../../faults/random.ts';
import { makeTenants } from '../../faults/tenants.ts';
import { readOptions, say, untilTold } from './conversation.ts';

export interface LoadOptions {
  readonly apiUrl: string;
  readonly databaseUrl: string;
  /** Of the customers; each load has its own. */
  readonly name: string;
}

const { apiUrl, databaseUrl, name } = readOptions() as LoadOptions;
const logger = createLogger({ name: 'e2e', level: 'silent' });
const database = await createDatabase({
  url: databaseUrl,
  poolMax: 2,
  applicationName: 'phaserun-e2e',
  logger,
});
const tenants = await makeTenants(database.pool, name, 2);
const history = createHistory();
const directory = `/tmp/clients-${name}`;
await mkdir(directory);
const load = startLoad({
  world: { tenants, apiUrls: [apiUrl] },
  history,
  random: createRandom(name),
  directory,
  inTurn: 8,
  atOnce: 2,
  clients: 2,
  pauseMs: 800,
});
say('loading');
await untilTold('stop');
await load.stop();
say(history.counts);
await untilTold('judge');
const evidence = new Map<string, Evidence>();
for (const { customerId } of tenants)
  evidence.set(customerId, await gatherEvidence(database.pool, customerId));
say(judge(history, evidence));
process.exit();
