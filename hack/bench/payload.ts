import { PHASES, type Phase } from '../../src/domain/phase.ts';
import type { JsonObject } from '../../src/domain/run.ts';

/** The body of a store, as a runner sends it. */
export interface StoreBody {
  readonly phase: Phase;
  readonly repo: string;
  readonly issueNumber: number;
  readonly commitSha: string;
  readonly branch: string;
  readonly pipelineRunId: string;
  readonly data: JsonObject;
}

/** The repositories that results are about; enough that their rows are not what everybody waits for. */
const REPOSITORIES = 8;

/**
 * Makes one body after another. No two are in the same slot, and the phases take turns, so that nothing waits for
 * anything but the machine.
 */
export function createBodies(forgeNamespace: string): (payloadBytes: number) => StoreBody {
  let made = 0;
  return (payloadBytes) => {
    made += 1;
    return makeBody({
      forgeNamespace,
      issueNumber: made,
      phase: PHASES[made % PHASES.length] ?? 'scan',
      payloadBytes,
    });
  };
}

interface BodyOptions {
  readonly forgeNamespace: string;
  /** Also decides on the repository and the commit. */
  readonly issueNumber: number;
  readonly phase: Phase;
  readonly payloadBytes: number;
}

export function makeBody({ forgeNamespace, issueNumber, phase, payloadBytes }: BodyOptions): StoreBody {
  return {
    phase,
    repo: `${forgeNamespace}/bench-${issueNumber % REPOSITORIES}`,
    issueNumber,
    commitSha: issueNumber.toString(16).padStart(40, '0'),
    branch: 'main',
    pipelineRunId: `run-${issueNumber}`,
    data: makePayload(issueNumber, payloadBytes),
  };
}

/** Findings like those of a scanner, about as many bytes of JSON; another seed makes another payload. */
export function makePayload(seed: number, bytes: number): JsonObject {
  const vulnerabilities: JsonObject[] = [];
  const data = { validated: true, language: 'javascript', vulnerabilities };
  for (let size = JSON.stringify(data).length, index = 0; ; index += 1) {
    const finding = makeFinding(seed, index);
    size += JSON.stringify(finding).length + 1;
    if (size > bytes) return data;
    vulnerabilities.push(finding);
  }
}

function makeFinding(seed: number, index: number): JsonObject {
  const pick = (from: readonly string[], factor: number) => from[(seed * factor + index) % from.length] ?? '';
  const line = ((seed * 31 + index * 17) % 900) + 1;
  return {
    type: pick(['xss', 'code_injection', 'sql_injection', 'path_traversal', 'ssrf'], 3),
    severity: pick(['low', 'medium', 'high', 'critical'], 5),
    file: `app/${pick(['routes', 'views', 'data', 'services', 'lib', 'jobs'], 7)}/module-${(seed + index) % 97}.js`,
    line,
    cweId: `CWE-${(seed * 13 + index * 7) % 1400}`,
    description: `The value read in line ${line} reaches a sink in line ${line + (index % 40)} without being checked`,
  };
}
