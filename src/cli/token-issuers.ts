import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { type TokenIssuer, tokenIssuer } from '../api/tokens/token-issuer.ts';
import { type Config, ConfigError } from '../config.ts';

/** The form of `OIDC_ISSUERS_FILE`; JSON is YAML too. */
const issuersFile = z.strictObject({ issuers: z.array(tokenIssuer) });

/**
 * Whose tokens this installation believes: the issuer of the environment, and those of the file.
 * @throws {ConfigError} naming the file, and the field that cannot be used
 */
export async function readTokenIssuers({
  oidc,
  oidcIssuersFile,
}: Pick<Config, 'oidc' | 'oidcIssuersFile'>): Promise<readonly TokenIssuer[]> {
  const fromEnvironment = oidc === undefined ? [] : [tokenIssuer.parse(oidc)];
  const fromFile = oidcIssuersFile === undefined ? [] : await readIssuersFile(oidcIssuersFile);
  const issuers = [...fromEnvironment, ...fromFile];
  const names = issuers.map(({ issuer }) => issuer);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new ConfigError(`The token issuer ${twice} is given twice`);
  return issuers;
}

async function readIssuersFile(path: string): Promise<readonly TokenIssuer[]> {
  const parsed = issuersFile.safeParse(await readYaml(path));
  if (parsed.success) return parsed.data.issuers;
  const problems = parsed.error.issues.map(
    (issue) => `${z.core.toDotPath(issue.path) || 'it'}: ${issue.message}`,
  );
  throw new ConfigError(`OIDC_ISSUERS_FILE ${path} cannot be used: ${problems.join('; ')}`);
}

async function readYaml(path: string): Promise<unknown> {
  try {
    return parse(await readFile(path, 'utf8'));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ConfigError(`OIDC_ISSUERS_FILE ${path} cannot be read: ${why}`, { cause });
  }
}
