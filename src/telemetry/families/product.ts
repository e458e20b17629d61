import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import { zeroCounter } from '../zero-series.ts';

const REPO_TECHNOLOGY = ['repo', 'language', 'framework'] as const;
const DURATION_MS = [
  1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 120_000, 300_000, 600_000, 900_000, 1_200_000, 1_800_000,
];

/** The edges of the session state machine; null is birth. */
const SESSION_STEPS = [
  ['none', 'pending'],
  ['pending', 'active'],
  ['pending', 'expired'],
  ['active', 'completed'],
  ['active', 'failed'],
  ['active', 'expired'],
] as const;

/** What the phases achieved, counted once a row is committed. Names and labels are those of existing dashboards. */
export function createProductFamilies(registry: Registry) {
  return {
    ...scanFamilies(registry),
    ...validationFamilies(registry),
    ...mitigationFamilies(registry),
    ...sessionFamilies(registry),
  };
}

function scanFamilies(registry: Registry) {
  const registers = [registry];
  return {
    scanExecutions: new Counter({
      name: 'rsolv_scan_executions_total',
      help: 'Finished scans, by repository and status.',
      labelNames: ['repo', 'status'] as const,
      registers,
    }),
    scanVulnerabilities: new Counter({
      name: 'rsolv_scan_vulnerabilities_total',
      help: 'Vulnerabilities that scans found, by repository and severity.',
      labelNames: ['repo', 'severity'] as const,
      registers,
    }),
  };
}

function validationFamilies(registry: Registry) {
  const registers = [registry];
  return {
    validationExecutions: new Counter({
      name: 'rsolv_validation_executions_total',
      help: 'Finished validations; completed reached a verdict, inconclusive says nothing of the success rate.',
      labelNames: [...REPO_TECHNOLOGY, 'status'] as const,
      registers,
    }),
    validationDuration: new Histogram({
      name: 'rsolv_validation_duration_milliseconds',
      help: 'Milliseconds that a validation took, where known.',
      labelNames: REPO_TECHNOLOGY,
      buckets: DURATION_MS,
      registers,
    }),
    validationTests: new Counter({
      name: 'rsolv_validation_tests_total',
      help: 'Tests that validations generated, and how they went.',
      labelNames: [...REPO_TECHNOLOGY, 'outcome'] as const,
      registers,
    }),
    validationTestReports: new Counter({
      name: 'rsolv_validation_test_reports_total',
      help: 'Finished validations that said how many tests they generated.',
      labelNames: REPO_TECHNOLOGY,
      registers,
    }),
    validationInverted: new Counter({
      name: 'rsolv_validation_inverted_total',
      help: 'Validations whose RED tests passed on the vulnerable commit.',
      labelNames: REPO_TECHNOLOGY,
      registers,
    }),
  };
}

function mitigationFamilies(registry: Registry) {
  const registers = [registry];
  return {
    mitigationExecutions: new Counter({
      name: 'rsolv_mitigation_executions_total',
      help: 'Finished mitigations, by repository, technology and status.',
      labelNames: [...REPO_TECHNOLOGY, 'status'] as const,
      registers,
    }),
    mitigationDuration: new Histogram({
      name: 'rsolv_mitigation_duration_milliseconds',
      help: 'Milliseconds that a mitigation took, where known.',
      labelNames: REPO_TECHNOLOGY,
      buckets: DURATION_MS,
      registers,
    }),
    mitigationTrustScore: new Histogram({
      name: 'rsolv_mitigation_trust_score_value',
      help: 'Trust scores (0 to 100) of mitigations that have one.',
      labelNames: REPO_TECHNOLOGY,
      buckets: [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100],
      registers,
    }),
    timeToMitigate: new Histogram({
      name: 'rsolv_time_to_mitigate_seconds',
      help: 'Seconds from the first validation of an issue to its pull request.',
      labelNames: ['repo'] as const,
      buckets: [60, 300, 900, 1_800, 3_600, 14_400, 43_200, 86_400, 259_200, 604_800],
      registers,
    }),
  };
}

function sessionFamilies(registry: Registry) {
  const registers = [registry];
  const sessions = new Counter({
    name: 'rsolv_sessions_total',
    help: 'Sessions that entered each state.',
    labelNames: ['state'] as const,
    registers,
  });
  const transitions = new Counter({
    name: 'rsolv_session_transitions_total',
    help: 'Session transitions; from is none for the state that a session is born in.',
    labelNames: ['from', 'to'] as const,
    registers,
  });
  zeroCounter(sessions, { state: ['pending', 'active', 'completed', 'failed', 'expired'] });
  for (const [from, to] of SESSION_STEPS) transitions.inc({ from, to }, 0);
  const open = new Gauge({
    name: 'rsolv_sessions_open',
    help: 'Sessions that are pending or active, by state; absent on who does not lead.',
    labelNames: ['state'] as const,
    registers,
  });
  return { sessions, transitions, open };
}
