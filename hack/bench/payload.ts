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
 * @param above what the issues of all others have, who make bodies for the same servers
 */
export function createBodies(forgeNamespace: string, above = 0): (payloadBytes: number) => StoreBody {
  let made = above;
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

/** Findings as a scanner reports them, so many bytes of JSON; another seed makes another payload. */
export function makePayload(seed: number, bytes: number): JsonObject {
  const vulnerabilities: JsonObject[] = [];
  const data = { validated: true, language: 'javascript', summary: '', vulnerabilities };
  let size = JSON.stringify(data).length;
  for (let index = 0; ; index += 1) {
    const finding = makeFinding(seed * 7919 + index * 104_729);
    const added = JSON.stringify(finding).length + (index === 0 ? 0 : 1);
    if (size + added > bytes) break;
    size += added;
    vulnerabilities.push(finding);
  }
  return { ...data, summary: makeText(seed, Math.max(0, bytes - size)) };
}

function makeText(seed: number, length: number): string {
  const random = createRandom(seed);
  const words: string[] = [];
  for (let made = 0; made < length; made += (words.at(-1) ?? '').length + 1)
    words.push(NOUNS[random(NOUNS.length)] ?? '');
  return words.join(' ').slice(0, length).padEnd(length, '.');
}

const KINDS = [
  ['code_injection', 'CWE-94', 'A03:2021', 'is evaluated as script', 'Parse it instead of evaluating it'],
  [
    'nosql_injection',
    'CWE-943',
    'A03:2021',
    'becomes part of a predicate',
    'Validate it, and bind it as a value',
  ],
  ['xss', 'CWE-79', 'A03:2021', 'is rendered as HTML', 'Encode it where it is written out'],
  ['open_redirect', 'CWE-601', 'A01:2021', 'decides where the browser goes', 'Allow relative paths alone'],
  ['path_traversal', 'CWE-22', 'A01:2021', 'names a file', 'Resolve it, and compare it with its root'],
  ['ssrf', 'CWE-918', 'A10:2021', 'names a host to ask', 'Allow known hosts, and refuse private ranges'],
] as const;
const NOUNS = [
  'account',
  'allocation',
  'benefit',
  'contribution',
  'invoice',
  'memo',
  'order',
  'profile',
  'report',
];
const VERBS = ['render', 'update', 'display', 'find', 'export', 'import', 'merge', 'verify', 'schedule'];
const PLACES = ['routes', 'data', 'views', 'services', 'jobs', 'lib'];
const SOURCES = ['body', 'query', 'params', 'cookies', 'headers'];

/** Shaped as the finding of a scanner; what differs from one to the next is what would in a code base. */
function makeFinding(seed: number): JsonObject {
  const random = createRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[random(from.length)] as T;
  const [type, cweId, owaspCategory, danger, remediation] = pick(KINDS);
  const [noun, other, verb] = [pick(NOUNS), pick(NOUNS), pick(VERBS)];
  const line = random(900) + 1;
  const file = `app/${pick(PLACES)}/${noun}-${other}-${random(400)}.js`;
  const name = `${verb}${noun[0]?.toUpperCase()}${noun.slice(1)}`;
  const value = `req.${pick(SOURCES)}.${other}${random(30)}`;
  return {
    type,
    severity: pick(['low', 'medium', 'high', 'critical']),
    line,
    column: random(60) + 1,
    message: `${value} ${danger}`,
    description: `In ${name} the value of ${value} ${danger} without being checked.`,
    cweId,
    owaspCategory,
    remediation: `${remediation}.`,
    confidence: 60 + random(40),
    filePath: file,
    file,
    snippet: `const ${other} = await ${noun}s.${verb}(${value}, { limit: ${random(500)} });`,
    isVendor: random(10) === 0,
    enclosingFunction: {
      name,
      startLine: Math.max(1, line - random(40)),
      endLine: line + random(40),
      params: ['req', 'res'],
    },
  };
}

/** Numbers below a bound, the same for the same seed (mulberry32). */
function createRandom(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d_2b_79_f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}
