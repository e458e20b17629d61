import type { Examination } from '../controller/doctor/doctor.ts';
import type { KubeClient } from '../kube/client.ts';
import { hasStatus } from '../kube/kube-error.ts';
import { CRD_NAME } from '../resources/crd.ts';
import { ALLOW_CRD_DELETION_ANNOTATION, POLICY_NAMES } from '../resources/policies.ts';
import type { Connection } from '../store/database.ts';
import { measureInbox } from '../store/inbox-claims.ts';
import { CommandFailure } from './failure.ts';
import { note } from './output.ts';

const POLICIES = '/apis/admissionregistration.k8s.io/v1';
const CRDS = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';

/**
 * Lifts what keeps PhaseRuns and their definition from being deleted, once nothing would be lost by that.
 * @throws CommandFailure when a PhaseRun is not in the rows
 */
export async function releaseCluster(
  client: KubeClient,
  pool: Connection,
  { waiting, discrepancies }: Examination,
): Promise<void> {
  const inbox = await measureInbox(pool);
  if (inbox.runs > 0) {
    throw new CommandFailure(
      `nothing was released: ${inbox.runs} results in the inbox are yet to become PhaseRuns`,
      {
        advice: 'The controller does that as long as it runs; watch phaserun_inbox_runs.',
      },
    );
  }
  const holding = [...waiting, ...discrepancies.flatMap(({ phaseRun }) => phaseRun ?? [])];
  if (holding.length > 0) {
    throw new CommandFailure(
      `nothing was released: ${holding.length} PhaseRuns are not safe in the rows, such as ${holding.slice(0, 3).join(', ')}`,
      { advice: 'Let the controller archive them, or mend them with: phaserun doctor --repair' },
    );
  }
  for (const name of Object.values(POLICY_NAMES)) {
    await remove(client, `${POLICIES}/validatingadmissionpolicybindings/${name}`);
    await remove(client, `${POLICIES}/validatingadmissionpolicies/${name}`);
  }
  await client.request({
    method: 'PATCH',
    path: `${CRDS}/${CRD_NAME}`,
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations: { [ALLOW_CRD_DELETION_ANNOTATION]: 'true' } } },
  });
  note(
    `Released: nothing keeps PhaseRuns from being deleted any more. To delete all of them: kubectl delete crd ${CRD_NAME}`,
  );
}

async function remove(client: KubeClient, path: string): Promise<void> {
  try {
    await client.request({ method: 'DELETE', path });
  } catch (error) {
    if (!hasStatus(error, 404)) throw error;
  }
}
