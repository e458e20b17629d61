import { API_KEY_ID_ANNOTATION, SLOT_LABEL } from './annotations.ts';
import { CRD_NAME } from './crd.ts';
import { GROUP, PLURAL } from './phase-run.ts';

/**
 * Verb on phaseruns that the API, the controller and doctor hold: it lets them say whose a run is and where it belongs. It
 * counts when it is granted in the whole cluster.
 */
export const ATTRIBUTE_VERB = 'attribute';
/** Break-glass verb on phaseruns: it lets its holder delete a run that is not archived. */
export const DISCARD_VERB = 'discard';
/** On a PhaseRun, "true": whoever holds the discard verb by a wildcard means it. */
export const DISCARD_ANNOTATION = `${GROUP}/discard`;
/** On the CRD, "true": it may be deleted, and every PhaseRun with it. */
export const ALLOW_CRD_DELETION_ANNOTATION = `${GROUP}/allow-crd-deletion`;

/** The admission policies without which a PhaseRun is not safe; each has a binding of the same name. */
export const POLICY_NAMES = {
  attribution: `phaserun-attribution.${GROUP}`,
  history: `phaserun-history.${GROUP}`,
  deletion: `phaserun-deletion.${GROUP}`,
  crdDeletion: `phaserun-crd-deletion.${GROUP}`,
} as const;

interface Validation {
  readonly expression: string;
  readonly messageExpression: string;
  readonly reason: 'Forbidden' | 'Invalid';
}

interface Policy {
  readonly name: string;
  readonly rule: {
    readonly apiGroups: string[];
    readonly resources: string[];
    readonly operations: string[];
  };
  readonly matchConditions?: readonly { readonly name: string; readonly expression: string }[];
  readonly variables?: Readonly<Record<string, string>>;
  readonly validations: readonly Validation[];
  readonly auditAnnotation?: { readonly key: string; readonly valueExpression: string };
}

/** The ValidatingAdmissionPolicies and their bindings, ready to be written as YAML and applied. */
export function makePolicies() {
  return [ATTRIBUTION, HISTORY, DELETION, CRD_DELETION].flatMap((policy) => [
    makePolicy(policy),
    makeBinding(policy.name),
  ]);
}

const IS_GRANTED = (verb: string) =>
  `authorizer.group('${GROUP}').resource('${PLURAL}').namespace(variables.run.metadata.namespace).check('${verb}').allowed()`;
const NAME = "variables.run.metadata.namespace + '/' + variables.run.metadata.name";

// Not asked of the namespace: who may do everything in one (verbs: ["*"]) would then speak for every customer there is.
const MAY_ATTRIBUTE = `authorizer.group('${GROUP}').resource('${PLURAL}').check('${ATTRIBUTE_VERB}').allowed()`;

/** An update that leaves these fields as they are passes, whoever makes it. */
const ATTRIBUTION: Policy = {
  name: POLICY_NAMES.attribution,
  rule: { apiGroups: [GROUP], resources: [PLURAL], operations: ['CREATE', 'UPDATE'] },
  variables: {
    run: 'object',
    before: 'oldObject == null ? {} : oldObject',
    changed: [
      "['customerId', 'runId', 'order'].filter(f, object.spec[?f] != variables.before.?spec[?f]).map(f, 'spec.' + f)",
      "['dataRef', 'order'].filter(f, object.spec.result[?f] != variables.before.?spec.?result[?f]).map(f, 'spec.result.' + f)",
      `['${API_KEY_ID_ANNOTATION}'].filter(f, object.metadata.?annotations[?f] != variables.before.?metadata.?annotations[?f])`,
      `['${SLOT_LABEL}'].filter(f, object.metadata.?labels[?f] != variables.before.?metadata.?labels[?f])`,
    ].join(' + '),
  },
  validations: [
    {
      expression: `variables.changed.size() == 0 || ${MAY_ATTRIBUTE}`,
      messageExpression:
        `'PhaseRun ' + ${NAME} + ' says by ' + variables.changed.join(', ') + ` +
        `' whose run it is or where it belongs, which only callers granted the verb "${ATTRIBUTE_VERB}" on ${PLURAL}.${GROUP} by a ClusterRoleBinding may do: ' + ` +
        `'leave the field as it is, or absent; the namespace already says whose run it is'`,
      reason: 'Forbidden',
    },
  ],
};

const differing = (fields: readonly string[], parent: string) =>
  `[${fields.map((field) => `'${field}'`).join(', ')}].filter(f, object.${parent}[?f] != oldObject.${parent}[?f])`;

/**
 * What an update may change. They are not rules of the kind, which the server would ask of every status write as well, where they took a
 * quarter of its time and could not fail.
 */
const HISTORY: Policy = {
  name: POLICY_NAMES.history,
  rule: { apiGroups: [GROUP], resources: [PLURAL], operations: ['UPDATE'] },
  variables: {
    before: 'oldObject.spec.result.status',
    after: 'object.spec.result.status',
    // The slot, the row and the order of a run hang on them.
    moved: differing(['phase', 'forge', 'repo', 'issueNumber', 'runId', 'order'], 'spec'),
    edited: [
      `${differing(['commitSha', 'branch', 'pipelineRunId', 'sessionId'], 'spec')}.map(f, 'spec.' + f)`,
      `${differing(['startedAt', 'completedAt', 'errorMessage', 'data', 'dataGzip', 'dataRef', 'order'], 'spec.result')}.map(f, 'spec.result.' + f)`,
    ].join(' + '),
    rejected:
      "oldObject.?status.?conditions.orValue([]).exists(c, c.type == 'Accepted' && c.status == 'False')",
  },
  validations: [
    {
      expression: 'variables.moved.size() == 0',
      messageExpression:
        "variables.moved.map(f, 'spec.' + f + ' is immutable').join(', ') + ': with another value it is another run, so create another PhaseRun'",
      reason: 'Invalid',
    },
    {
      expression: "object.spec.phase != 'scan' || object.spec[?'commitSha'] == oldObject.spec[?'commitSha']",
      messageExpression:
        "'spec.commitSha of a scan is immutable: the scan is looked up by it, so create another PhaseRun'",
      reason: 'Invalid',
    },
    {
      expression:
        "variables.after == variables.before || variables.before == 'pending' || (variables.before == 'running' && variables.after in ['completed', 'failed'])",
      messageExpression:
        "'spec.result.status moves forward only: pending, running, then completed or failed; it is ' + variables.before",
      reason: 'Invalid',
    },
    {
      expression:
        "!(variables.before in ['completed', 'failed']) || variables.rejected || variables.edited.size() == 0",
      messageExpression:
        "variables.edited.join(', ') + ': a ' + variables.before + ' run is history and does not change, so create another PhaseRun'",
      reason: 'Invalid',
    },
  ],
};

// A wildcard grants every verb there is or is not, and so cannot be told from the wish to discard by the verb alone.
const HOLDS_WILDCARD = IS_GRANTED('any-verb-at-all');

const DELETION: Policy = {
  name: POLICY_NAMES.deletion,
  rule: { apiGroups: [GROUP], resources: [PLURAL], operations: ['DELETE'] },
  variables: {
    run: 'oldObject',
    conditions:
      'oldObject.?status.?conditions.orValue([]).filter(c, c.?observedGeneration.orValue(0) == oldObject.metadata.generation)',
    settled:
      "variables.conditions.exists(c, (c.type == 'Archived' && c.status == 'True') || (c.type == 'Accepted' && c.status == 'False'))",
    meant: `oldObject.metadata.?annotations['${DISCARD_ANNOTATION}'].orValue('') == 'true'`,
  },
  validations: [
    {
      expression: `variables.settled || (${IS_GRANTED(DISCARD_VERB)} && (variables.meant || !${HOLDS_WILDCARD}))`,
      messageExpression:
        `'PhaseRun ' + ${NAME} + ' is not archived at its current generation, so deleting it would lose its result: ' + ` +
        `'wait with "kubectl wait --for=condition=Archived phaserun/' + variables.run.metadata.name + ' -n ' + variables.run.metadata.namespace + '" and delete it then. ' + ` +
        `'To give the result up, a caller granted the verb "${DISCARD_VERB}" annotates it ${DISCARD_ANNOTATION}=true first'`,
      reason: 'Forbidden',
    },
  ],
  auditAnnotation: {
    key: 'discarded',
    valueExpression: `variables.settled ? '' : 'deletion of PhaseRun ' + ${NAME} + ' asked for before it was archived'`,
  },
};

// By the object's name and not the request's, which is empty when a whole collection is deleted.
const CRD_DELETION: Policy = {
  name: POLICY_NAMES.crdDeletion,
  rule: {
    apiGroups: ['apiextensions.k8s.io'],
    resources: ['customresourcedefinitions'],
    operations: ['DELETE'],
  },
  matchConditions: [{ name: 'phaseruns-only', expression: `oldObject.metadata.name == '${CRD_NAME}'` }],
  validations: [
    {
      expression: `oldObject.metadata.?annotations['${ALLOW_CRD_DELETION_ANNOTATION}'].orValue('') == 'true'`,
      messageExpression:
        `'deleting the definition ${CRD_NAME} deletes every PhaseRun of the cluster, archived or not: ' + ` +
        `'if that is meant, annotate it ${ALLOW_CRD_DELETION_ANNOTATION}=true first'`,
      reason: 'Forbidden',
    },
  ],
};

function makePolicy({ name, rule, matchConditions, variables = {}, validations, auditAnnotation }: Policy) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name, labels: LABELS },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: { resourceRules: [{ ...rule, apiVersions: ['*'] }] },
      ...(matchConditions && { matchConditions }),
      variables: Object.entries(variables).map(([variable, expression]) => ({ name: variable, expression })),
      validations,
      ...(auditAnnotation && { auditAnnotations: [auditAnnotation] }),
    },
  };
}

function makeBinding(name: string) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicyBinding',
    metadata: { name, labels: LABELS },
    spec: { policyName: name, validationActions: ['Deny'] },
  };
}

const LABELS = { 'app.kubernetes.io/name': 'phaserun' };
