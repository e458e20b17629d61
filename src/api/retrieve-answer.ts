import type { PhaseDataSubject } from '../domain/phase-data-request.ts';

/** Stored data as JSON text, by phase; null where there is none. */
interface StoredResults {
  readonly scan: string | null;
  readonly validation: string | null;
  readonly mitigation: string | null;
}

/**
 * The body of a retrieve, spliced from what the database holds without parsing it. Stored data stands below the name of
 * its phase, so that no key of it is ever read as one of the answer.
 */
export function spliceResults({ scan, validation, mitigation }: StoredResults, issueNumber = 0): string {
  const members = [
    scan === null ? [] : [`"scan":${scan}`],
    validation === null ? [] : [`"validation":{"issue-${issueNumber}":${validation}}`],
    mitigation === null ? [] : [`"mitigation":{"issue-${issueNumber}":${mitigation}}`],
  ];
  return `{${members.flat().join(',')}}`;
}

/** The body of an issue-scoped retrieve: the same results, flat, under the oldest names of their phases. */
export function splicePhaseData(
  { scan, validation, mitigation }: StoredResults,
  { repository, issueNumber }: PhaseDataSubject,
): string {
  const phases = Object.entries({ scan, validate: validation, mitigate: mitigation })
    .filter(([, data]) => data !== null)
    .map(([phase, data]) => `"${phase}":${data}`);
  const subject = `"repository":${JSON.stringify(repository.fullPath)},"issue_number":${issueNumber}`;
  return `{${subject},"phases":{${phases.join(',')}}}`;
}
