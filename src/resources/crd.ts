import { GROUP, KIND, PLURAL, VERSION } from './phase-run.ts';
import { phaseRunSpec } from './phase-run-spec.ts';
import { phaseRunStatus } from './phase-run-status.ts';
import { toStructuralSchema } from './structural-schema.ts';

export const CRD_NAME = `${PLURAL}.${GROUP}`;

/** The CustomResourceDefinition of PhaseRun, ready to be written as YAML and applied. */
export function makePhaseRunCrd() {
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: CRD_NAME, labels: { 'app.kubernetes.io/name': 'phaserun' } },
    spec: {
      group: GROUP,
      scope: 'Namespaced',
      names: {
        kind: KIND,
        listKind: `${KIND}List`,
        plural: PLURAL,
        singular: 'phaserun',
        shortNames: ['phr'],
        categories: ['phases'],
      },
      versions: [
        {
          name: VERSION,
          served: true,
          storage: true,
          subresources: { status: {} },
          selectableFields: [{ jsonPath: '.spec.phase' }, { jsonPath: '.spec.repo' }],
          additionalPrinterColumns: PRINTER_COLUMNS,
          schema: { openAPIV3Schema: makeSchema() },
        },
      ],
    },
  };
}

const PRINTER_COLUMNS = [
  { name: 'Phase', type: 'string', jsonPath: '.spec.phase' },
  { name: 'Repo', type: 'string', jsonPath: '.spec.repo' },
  { name: 'Issue', type: 'integer', jsonPath: '.spec.issueNumber' },
  { name: 'Status', type: 'string', jsonPath: '.spec.result.status' },
  { name: 'Session', type: 'string', jsonPath: '.status.session.state' },
  { name: 'RedGreen', type: 'string', jsonPath: '.status.summary.redGreen', priority: 1 },
  { name: 'Trust', type: 'number', jsonPath: '.status.summary.trustScore' },
  { name: 'Archived', type: 'string', jsonPath: '.status.conditions[?(@.type=="Archived")].status' },
  { name: 'Age', type: 'date', jsonPath: '.metadata.creationTimestamp' },
];

/**
 * Whoever writes any of it owns it whole (KEP-555): who asked for the run its spec, the controller its status. The server otherwise keeps
 * an owner of each field, in most of a kilobyte of `managedFields` that it compares with each write.
 */
const ONE_OWNER = { 'x-kubernetes-map-type': 'atomic' };

function makeSchema() {
  return {
    type: 'object',
    description:
      'One run of one phase (scan, validation or mitigation) over one repository, on its way to the row that later phases read. ' +
      '`kubectl wait --for=condition=Archived phaserun/NAME` returns when the row is committed.',
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: 'The version of this kind.' },
      kind: { type: 'string', description: 'The name of this kind.' },
      metadata: { type: 'object' },
      spec: { ...toStructuralSchema(phaseRunSpec), ...ONE_OWNER },
      status: { ...toStructuralSchema(phaseRunStatus), ...ONE_OWNER },
    },
  };
}
