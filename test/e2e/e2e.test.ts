/**
 * What the chart promises, on a real cluster, told in the order in which an administrator would meet it: each chapter finds
 * the release as the one before left it. hack/e2e runs this.
 */
import { afterAll, afterEach } from 'vitest';
import { testAppliedRuns } from './applied-runs.ts';
import { testChanges } from './changes.ts';
import { printState, removeAll } from './cluster-state.ts';
import { testDeletion } from './deletion.ts';
import { installFirst, testFirstInstall } from './first-install.ts';
import { testManifests } from './manifests.ts';
import { testMonitoring } from './monitoring.ts';
import { testOutages } from './outages.ts';
import { testReinstall } from './reinstall.ts';
import { testRights } from './rights.ts';

afterAll(removeAll);
const tenant = await installFirst().catch(async (error: unknown) => {
  await printState();
  await removeAll();
  throw error;
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail') await printState();
});

testFirstInstall(tenant);
testAppliedRuns();
testMonitoring();
testOutages();
testChanges(tenant);
testDeletion();
testRights();
testReinstall(tenant);
testManifests();
