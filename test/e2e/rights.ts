import { describe, expect, test } from 'vitest';
import { auditLog } from './audit-log.ts';
import { getJson, kubectl } from './commands.ts';
import { NAMESPACE, RELEASE } from './release.ts';

interface Rule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly resourceNames?: readonly string[];
}

const PHASE_RUNS = 'phases.rsolv.dev/phaseruns';
const POLICIES = [
  'phaserun-attribution.phases.rsolv.dev',
  'phaserun-crd-deletion.phases.rsolv.dev',
  'phaserun-deletion.phases.rsolv.dev',
  'phaserun-history.phases.rsolv.dev',
];
const POLICY_RIGHTS = ['validatingadmissionpolicies', 'validatingadmissionpolicybindings'].flatMap((kind) =>
  POLICIES.map((name) => `get admissionregistration.k8s.io/${kind}/${name}`),
);

/** All that each process may do anywhere, and what more in the namespace of the release. */
const RIGHTS: Readonly<
  Record<string, { readonly anywhere: readonly string[]; readonly here: readonly string[] }>
> = {
  [`${RELEASE}-api`]: {
    anywhere: [
      ...['attribute', 'create', 'get', 'list', 'patch', 'watch'].map((verb) => `${verb} ${PHASE_RUNS}`),
      ...['list', 'watch'].map((verb) => `${verb} /namespaces`),
    ],
    here: [],
  },
  [`${RELEASE}-controller`]: {
    anywhere: [
      ...['attribute', 'create', 'delete', 'get', 'list', 'patch', 'watch'].map(
        (verb) => `${verb} ${PHASE_RUNS}`,
      ),
      `patch ${PHASE_RUNS}/status`,
      ...['list', 'watch'].map((verb) => `${verb} /namespaces`),
      ...['create', 'patch'].map((verb) => `${verb} events.k8s.io/events`),
      ...POLICY_RIGHTS,
    ],
    here: [
      'create coordination.k8s.io/leases',
      ...['get', 'patch'].map((verb) => `${verb} coordination.k8s.io/leases/${RELEASE}-controller`),
    ],
  },
  default: { anywhere: [], here: [] },
};

/**
 * Rights that a run need not use: the first is asked for by an admission policy, lists are for servers without watch lists
 * (kube/informer-fallback.test.ts), and the controller's others for what waited in the inbox while the Kubernetes API was away
 * (api/inbox.test.ts), for a backlog of more than it has at hand (controller/slot.test.ts), for the end of a TTL
 * (controller/expiry.test.ts) and for Events that repeat (kube/event-recorder.test.ts).
 */
const UNSEEN: ReadonlySet<string> = new Set([
  `attribute ${PHASE_RUNS}`,
  'list /namespaces',
  `${RELEASE}-controller: list ${PHASE_RUNS}`,
  `${RELEASE}-controller: create ${PHASE_RUNS}`,
  `${RELEASE}-controller: get ${PHASE_RUNS}`,
  `${RELEASE}-controller: patch ${PHASE_RUNS}`,
  `${RELEASE}-controller: delete ${PHASE_RUNS}`,
  `${RELEASE}-controller: patch events.k8s.io/events`,
]);

/** `verb group/resource[/name]`, one for each right that the account has in a namespace and others have not. */
async function rightsOf(account: string, namespace: string): Promise<string[]> {
  const own = await listRights(`system:serviceaccount:${NAMESPACE}:${account}`, namespace);
  const everybodys = new Set(await listRights(`system:serviceaccount:${NAMESPACE}:nobody`, namespace));
  return own.filter((right) => !everybodys.has(right)).toSorted();
}

async function listRights(user: string, namespace: string): Promise<string[]> {
  const path = '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews';
  const groups = ['system:serviceaccounts', `system:serviceaccounts:${NAMESPACE}`, 'system:authenticated'];
  const as = [`--as=${user}`, ...groups.map((group) => `--as-group=${group}`)];
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SelfSubjectRulesReview',
    spec: { namespace },
  };
  const answer = await kubectl(['create', '--raw', path, '-f', '-', ...as], {
    stdin: JSON.stringify(review),
  });
  const { status } = JSON.parse(answer) as { status: { resourceRules: Rule[]; incomplete: boolean } };
  expect(status.incomplete).toBe(false);
  return [...new Set(status.resourceRules.flatMap(spell))];
}

function spell({ verbs, apiGroups, resources, resourceNames = [''] }: Rule): string[] {
  return verbs.flatMap((verb) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.map((name) => `${verb} ${group}/${resource}${name === '' ? '' : `/${name}`}`),
      ),
    ),
  );
}

export function testRights(): void {
  describe('each service account', () => {
    test('is in the table', async () => {
      const { items } = await getJson<{ items: { metadata: { name: string } }[] }>('sa', '-n', NAMESPACE);
      const names = items.map(({ metadata }) => metadata.name).filter((name) => name !== 'prometheus');
      expect(names.toSorted()).toEqual(Object.keys(RIGHTS).toSorted());
    });

    test.each(Object.entries(RIGHTS))('%s may do what it needs and nothing else', async (account, rights) => {
      expect(await rightsOf(account, 'kube-system')).toEqual(rights.anywhere.toSorted());
      expect(await rightsOf(account, NAMESPACE)).toEqual([...rights.anywhere, ...rights.here].toSorted());
    });

    test.skipIf(auditLog === undefined).each(Object.entries(RIGHTS))(
      '%s has used what a run takes',
      async (account, { anywhere, here }) => {
        const used = await listUsed(`system:serviceaccount:${NAMESPACE}:${account}`);
        const granted = new Set([...anywhere, ...here].map(withoutName));
        const expected = [...granted].filter(
          (right) => !UNSEEN.has(right) && !UNSEEN.has(`${account}: ${right}`),
        );
        expect(expected.filter((right) => !used.has(right))).toEqual([]);
      },
    );
  });
}

/** `verb group/resource[/subresource]` of what the account asked for and was given. */
async function listUsed(user: string): Promise<ReadonlySet<string>> {
  const entries = (await auditLog?.()) ?? [];
  return new Set(
    entries
      .filter((entry) => entry.user.username === user && (entry.responseStatus?.code ?? 500) < 400)
      .map(({ verb, objectRef: { apiGroup = '', resource, subresource } = {} }) =>
        [`${verb} ${apiGroup}`, resource, subresource].filter((part) => part !== undefined).join('/'),
      ),
  );
}

const SUBRESOURCES = new Set(['status']);

function withoutName(right: string): string {
  const [what = '', resource = '', last] = right.split('/');
  return last !== undefined && SUBRESOURCES.has(last) ? right : `${what}/${resource}`;
}
