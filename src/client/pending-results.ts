import { createHash, randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, unlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isJsonObject, type PhaseMetadata, type PhaseResult, readPhase } from './phase-result.ts';
import { trackedIn } from './working-copy.ts';

/** A result that is still on disk. */
export interface PendingResult {
  readonly file: string;
  readonly result: PhaseResult;
}

/**
 * The folder of results that have not reached the platform: one file each, `{owner}-{name}-{issue|scan}-{phase}.json`
 * for the newest of its name; older ones of the same name keep a unique suffix. Several processes may use it at
 * once, so no step here overwrites a file, and none deletes one without having seen which result it holds.
 */
export class PendingResults {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Writes the result to disk, through to the device, and returns the path of its file. */
  async keep(result: PhaseResult): Promise<string> {
    await mkdir(this.#folder, { recursive: true });
    const path = join(this.#folder, `${baseNameOf(result)}.json`);
    const text = `${JSON.stringify(result, null, 2)}\n`;
    while (!(await createFile(path, text))) {
      // Under another name what came with a checkout would pass for a result of ours.
      if (await this.#isTracked(path)) return this.#keepAside(path, text);
      await this.#moveAside(path);
    }
    return path;
  }

  /** What is pending, oldest first, and what is left alone: files that hold no result, and those that git tracks. */
  async list(): Promise<{
    readonly results: readonly PendingResult[];
    readonly unreadable: readonly string[];
    readonly tracked: readonly string[];
  }> {
    const results: PendingResult[] = [];
    const unreadable: string[] = [];
    const names = await this.#names();
    const isTracked = names.length === 0 ? new Set<string>() : await trackedIn(this.#folder);
    for (const name of names.filter((each) => !isTracked.has(each))) {
      const file = join(this.#folder, name);
      const result = await readResult(file);
      if (result === 'unreadable') unreadable.push(file);
      else if (result !== 'gone') results.push({ file, result });
    }
    const tracked = names.filter((name) => isTracked.has(name)).map((name) => join(this.#folder, name));
    return { results: results.sort(byAge), unreadable, tracked };
  }

  /** Removes a result that has arrived; gone already is fine. */
  async remove(pending: PendingResult): Promise<void> {
    const claimed = await this.#claim(pending);
    if (claimed !== undefined) await unlink(claimed);
  }

  /** Keeps a result that the platform refused out of further re-sends; returns where it lies now. */
  async setAside(pending: PendingResult): Promise<string> {
    const claimed = await this.#claim(pending);
    if (claimed === undefined) return pending.file;
    await rename(claimed, `${claimed}.refused`);
    return `${claimed}.refused`;
  }

  /**
   * Gives the file a name of its own, under which nobody else writes, and only then looks whether it still holds
   * the result. Another process may have put a newer one there since: that one stays pending, under its new name.
   */
  async #claim({ file, result }: PendingResult): Promise<string | undefined> {
    const claimed = await this.#moveAside(file);
    const held = await readResult(claimed);
    const isIt = typeof held === 'object' && held.idempotencyKey === result.idempotencyKey;
    return isIt ? claimed : undefined;
  }

  async #names(): Promise<readonly string[]> {
    const entries = (await readdir(this.#folder, { withFileTypes: true }).catch(ignoreMissing)) ?? [];
    // The working copy is somebody's, and a link in it may lead to what never ends: a device, a terminal.
    const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.json'));
    return files.map(({ name }) => name).sort();
  }

  /** When git does not say, nothing is moved. */
  async #isTracked(path: string): Promise<boolean> {
    return trackedIn(this.#folder).then(
      (tracked) => tracked.has(basename(path)),
      () => true,
    );
  }

  async #keepAside(path: string, text: string): Promise<string> {
    const aside = asideOf(path);
    await writeFile(aside, text, { flag: 'wx', flush: true });
    return aside;
  }

  async #moveAside(path: string): Promise<string> {
    const aside = asideOf(path);
    await rename(path, aside).catch(ignoreMissing);
    return aside;
  }
}

/** A name of its own for what has this one. */
function asideOf(path: string): string {
  return path.replace(/(?:\.[0-9a-f-]{36})?\.json$/, `.${randomUUID()}.json`);
}

/** Creates the file; false when there is one already. */
async function createFile(path: string, text: string): Promise<boolean> {
  try {
    await writeFile(path, text, { flag: 'wx', flush: true });
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

/** `gone`: another process has settled it meanwhile. */
async function readResult(file: string): Promise<PhaseResult | 'gone' | 'unreadable'> {
  try {
    return parseResult(await readFile(file, 'utf8')) ?? 'unreadable';
  } catch (error) {
    return codeOf(error) === 'ENOENT' ? 'gone' : 'unreadable';
  }
}

/** Cut to what file systems take (255 bytes) with room for a suffix; the digest keeps cut names apart. */
function baseNameOf({ phase, metadata }: PhaseResult): string {
  const repo = metadata.repo.replaceAll(/[^\w.-]/g, '-');
  const name = `${repo}-${metadata.issueNumber ?? 'scan'}-${phase}`;
  if (name.length <= 180) return name;
  return `${name.slice(0, 160)}-${createHash('sha256').update(metadata.repo).digest('hex').slice(0, 8)}-${phase}`;
}

/** Reads a file of this client or of an older one, which wrote no key: there the content itself makes the key. */
function parseResult(text: string): PhaseResult | undefined {
  try {
    const file: unknown = JSON.parse(text);
    if (!isJsonObject(file) || typeof file['phase'] !== 'string') return undefined;
    const { data, metadata, timestamp, idempotencyKey } = file;
    if (!isJsonObject(data) || !isMetadata(metadata) || typeof timestamp !== 'string') return undefined;
    const key = isKey(idempotencyKey) ? idempotencyKey : keyOf(text);
    return { phase: readPhase(file['phase']), data, metadata, timestamp, idempotencyKey: key };
  } catch {
    return undefined;
  }
}

function isMetadata(value: unknown): value is PhaseMetadata {
  return isJsonObject(value) && typeof value['repo'] === 'string' && typeof value['commitSha'] === 'string';
}

/** What a header can carry, and the platform takes; one that it could not would hold up all the others. */
function isKey(value: unknown): value is string {
  return typeof value === 'string' && /^[!-~]{1,255}$/.test(value);
}

/** A UUID (version 8, RFC 9562) of the text. */
function keyOf(text: string): string {
  const hex = createHash('sha256').update(text).digest('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}

function byAge(one: PendingResult, other: PendingResult): number {
  return compare(one.result.timestamp, other.result.timestamp) || compare(one.file, other.file);
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function ignoreMissing(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined;
  throw error;
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
