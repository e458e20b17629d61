import type { Forge } from './phase.ts';
import type { RepositoryName } from './run.ts';

/** What the columns hold: `repositories.namespace`, `.name` and `.full_path`. */
export const NAMESPACE_LIMIT = 500;
export const NAME_LIMIT = 255;
export const REPOSITORY_LIMIT = NAMESPACE_LIMIT + 1 + NAME_LIMIT;

export type ParsedRepositoryName =
  | { readonly ok: true; readonly value: RepositoryName }
  | { readonly ok: false; readonly message: string };

/**
 * Reads `owner/name`, or for GitLab `group/sub/name`, as its forge would: both compare names without
 * regard to case, so the identity is lower case and only `fullPath` keeps the spelling. What is not
 * a name on that forge is refused in a sentence, without the field's name in front.
 */
export function parseRepositoryName(forge: Forge, text: string): ParsedRepositoryName {
  const segments = text.split('/');
  const name = segments.pop() ?? '';
  const problem = findProblem(forge, text, segments, name);
  if (problem !== undefined) return { ok: false, message: problem };
  const value = {
    forge,
    namespace: segments.join('/').toLowerCase(),
    name: name.toLowerCase(),
    fullPath: text,
  };
  return { ok: true, value };
}

/** A namespace and those above it, the longest first: `a/b/c` gives `a/b/c`, `a/b`, `a`. */
export function namespacePrefixes(namespace: string): string[] {
  const segments = namespace.split('/');
  return segments.map((_, index) => segments.slice(0, segments.length - index).join('/'));
}

interface NamingRules {
  readonly shape: string;
  readonly maxGroups: number;
  readonly group: RegExp;
  readonly name: RegExp;
  readonly reservedEnding: RegExp;
}

// GitHub: owners of 39 characters at most, underscores only for enterprise-managed users; a repository
// may begin with a dot (`acme/.github`). GitLab: `Gitlab::PathRegex`; groups nest 20 deep.
const RULES: Readonly<Record<Forge, NamingRules>> = {
  github: {
    shape: 'owner/name',
    maxGroups: 1,
    group: /^[a-z0-9][a-z0-9_-]{0,99}$/i,
    name: /^[a-z0-9._-]{1,100}$/i,
    reservedEnding: /\.git$/i,
  },
  gitlab: {
    shape: 'group/name or group/subgroup/name',
    maxGroups: 20,
    group: /^[a-z0-9_.](?:[a-z0-9_.-]{0,253}[a-z0-9_-])?$/i,
    name: /^[a-z0-9_.][a-z0-9_.-]{0,254}$/i,
    reservedEnding: /\.(?:git|atom)$/i,
  },
};

const ONLY_DOTS = /^\.+$/;

function findProblem(forge: Forge, text: string, groups: string[], name: string): string | undefined {
  const rules = RULES[forge];
  if (text.length > REPOSITORY_LIMIT) return `must not be longer than ${REPOSITORY_LIMIT} characters`;
  if (groups.length === 0 || groups.length > rules.maxGroups) return `must be ${rules.shape}`;
  if (groups.join('/').length > NAMESPACE_LIMIT)
    return `must have a namespace of at most ${NAMESPACE_LIMIT} characters`;
  const unfit = groups.some((group) => !isSegment(group, rules.group)) || !isSegment(name, rules.name);
  if (unfit) return `must be ${rules.shape}, in characters that ${forge} allows`;
  if ([...groups, name].some((segment) => rules.reservedEnding.test(segment)))
    return `must be ${rules.shape}, not the end of a clone address`;
  return undefined;
}

function isSegment(text: string, pattern: RegExp): boolean {
  return pattern.test(text) && !ONLY_DOTS.test(text);
}
