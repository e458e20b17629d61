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
  deletion: `phaserun-deletion.${GROUP}`,
  crdDeletion: `phaserun-crd-deletion.${GROUP}`,
} as const;

interface Validation {
  readonly expression: string;
  readonly messageExpression: string;
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
  readonly validation: Validation;
  readonly auditAnnotation?: { readonly key: string; readonly valueExpression: string };
}

/** The ValidatingAdmissionPolicies and their bindings, ready to be written as YAML and applied. */
export function makePolicies() {
  return [ATTRIBUTION, DELETION, CRD_DELETION].flatMap((policy) => [
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
  validation: {
    expression: `variables.changed.size() == 0 || ${MAY_ATTRIBUTE}`,
    messageExpression:
      `'PhaseRun ' + ${NAME} + ' says by ' + variables.changed.join(', ') + ` +
      `' whose run it is or where it belongs, which only callers granted the verb "${ATTRIBUTE_VERB}" on ${PLURAL}.${GROUP} by a ClusterRoleBinding may do: ' + ` +
      `'leave the field as it is, or absent; the namespace already says whose run it is'`,
  },
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
  validation: {
    expression: `variables.settled || (${IS_GRANTED(DISCARD_VERB)} && (variables.meant || !${HOLDS_WILDCARD}))`,
    messageExpression:
      `'PhaseRun ' + ${NAME} + ' is not archived at its current generation, so deleting it would lose its result: ' + ` +
      `'wait with "kubectl wait --for=condition=Archived phaserun/' + variables.run.metadata.name + ' -n ' + variables.run.metadata.namespace + '" and delete it then. ' + ` +
      `'To give the result up, a caller granted the verb "${DISCARD_VERB}" annotates it ${DISCARD_ANNOTATION}=true first'`,
  },
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
  validation: {
    expression: `oldObject.metadata.?annotations['${ALLOW_CRD_DELETION_ANNOTATION}'].orValue('') == 'true'`,
    messageExpression:
      `'deleting the definition ${CRD_NAME} deletes every PhaseRun of the cluster, archived or not: ' + ` +
      `'if that is meant, annotate it ${ALLOW_CRD_DELETION_ANNOTATION}=true first'`,
  },
};

function makePolicy({ name, rule, matchConditions, variables = {}, validation, auditAnnotation }: Policy) {
  return {
    apiVersion: 'admissionregistration.k8s.io/v1',
    kind: 'ValidatingAdmissionPolicy',
    metadata: { name, labels: LABELS },
    spec: {
      failurePolicy: 'Fail',
      matchConstraints: { resourceRules: [{ ...rule, apiVersions: ['*'] }] },
      ...(matchConditions && { matchConditions }),
      variables: Object.entries(variables).map(([variable, expression]) => ({ name: variable, expression })),
      validations: [{ ...validation, reason: 'Forbidden' }],
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
