import { join } from 'node:path';
import { ClientUsageError, PlatformUnreachableError } from './client-errors.ts';
import { connect } from './connect.ts';
import { readClientEnvironment } from './environment.ts';
import { answerFromDisk, type PhaseData } from './local-answer.ts';
import { type PendingResult, PendingResults } from './pending-results.ts';
import {
  isSameRepository,
  type JsonObject,
  makePhaseResult,
  type Phase,
  type PhaseMetadata,
  type PhaseResult,
  type PhaseSpelling,
  type RepositoryReference,
  readPhase,
  sharesSlot,
} from './phase-result.ts';
import type { Acknowledgement, Platform, RetrieveQuery } from './platform.ts';
import { type Resent, resendPending } from './resend.ts';
import { DEFAULT_RETRY, Retrying, type RetryPolicy } from './retry.ts';
import { printWarning } from './warning.ts';
import { currentCommit } from './working-copy.ts';

export { ClientUsageError, PlatformRefusedError, PlatformUnreachableError } from './client-errors.ts';
export type { PhaseData } from './local-answer.ts';
export type { JsonObject, PhaseMetadata, PhaseSpelling } from './phase-result.ts';

export interface PhaseDataClientOptions {
  /** Default: `RSOLV_API_KEY`; with neither, the OIDC token of a GitHub Actions job. */
  readonly apiKey?: string | undefined;
  /** Default: `RSOLV_API_URL`. */
  readonly baseUrl?: string | undefined;
  /** False keeps everything on disk. Default: `USE_PLATFORM_STORAGE`, which only the literal `false` turns off. */
  readonly usePlatform?: boolean | undefined;
  /** Fail where a result would otherwise be kept on disk: for runners whose disk does not outlive the job. */
  readonly requirePlatform?: boolean | undefined;
  /** Default: `.rsolv/phase-data` in the working directory. */
  readonly folder?: string | undefined;
  /** Longest wait for one answer, in milliseconds; default 30,000. */
  readonly timeoutMs?: number | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** Told of everything that a person should know; default: a line on stderr, in CI a `::warning::`. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** A result on the platform; `persisted: false` when it is durable there but not yet a row. */
export interface StoredOnPlatform extends Acknowledgement {
  readonly success: true;
  readonly storage: 'platform';
  readonly phase: Phase;
  /** Earlier results that this call carried from the disk to the platform before its own. */
  readonly resent: number;
}

/** A result on this machine's disk alone; the next call for its repository that reaches the platform re-sends it. */
export interface StoredLocally {
  readonly success: true;
  readonly storage: 'local';
  readonly phase: Phase;
  readonly file: string;
  readonly warning: string;
}

export type StoreResult = StoredOnPlatform | StoredLocally;

/**
 * What a runner stores phase results with, and retrieves them.
 *
 * A call that returns has put the result on the platform or on this disk, and says which; one that throws has done
 * neither. Results on disk are re-sent, oldest first and each under its own Idempotency-Key, by the next call for their
 * repository that reaches the platform, before that call does its own work. Files that came with a checkout are nobody's results:
 * whoever may push could speak for other repositories, and for phases that never ran.
 */
export class PhaseDataClient {
  readonly #platform: Platform | undefined;
  readonly #pending: PendingResults;
  readonly #requirePlatform: boolean;
  readonly #retry: RetryPolicy;
  readonly #warn: (message: string) => void;
  readonly #warned = new Set<string>();

  /** @throws {ClientUsageError} when the platform is to be used and its address or the credentials are missing. */
  constructor(options: PhaseDataClientOptions = {}) {
    const environment = readClientEnvironment();
    const usePlatform = options.usePlatform ?? environment.usePlatform;
    if (!usePlatform && options.requirePlatform) {
      throw new ClientUsageError('requirePlatform contradicts USE_PLATFORM_STORAGE=false: drop one of them');
    }
    this.#platform = usePlatform
      ? connect({
          baseUrl: options.baseUrl?.trim() || environment.baseUrl,
          apiKey: options.apiKey?.trim() || environment.apiKey,
          githubTokenRequest: environment.githubTokenRequest,
          timeoutMs: options.timeoutMs ?? 30_000,
        })
      : undefined;
    this.#pending = new PendingResults(options.folder ?? join('.rsolv', 'phase-data'));
    this.#requirePlatform = options.requirePlatform ?? false;
    this.#retry = { ...DEFAULT_RETRY, ...options.retry };
    this.#warn = options.warn ?? ((message) => printWarning(message, environment.isCi));
  }

  /**
   * Stores what a phase found.
   * @throws {ClientUsageError} when an argument is wrong, naming it.
   * @throws {PlatformRefusedError} when the platform says no (4xx but 429); nothing was stored.
   * @throws {PlatformUnreachableError} when the platform cannot be reached and `requirePlatform` is set.
   */
  async storePhaseResults(
    phase: PhaseSpelling,
    data: JsonObject,
    metadata: PhaseMetadata,
  ): Promise<StoreResult> {
    const result = makePhaseResult(phase, data, metadata);
    if (!this.#platform) return this.#keep(result, 'The platform is turned off (USE_PLATFORM_STORAGE=false)');
    try {
      return await this.#send(this.#platform, result);
    } catch (error) {
      if (!(error instanceof PlatformUnreachableError) || this.#requirePlatform) throw error;
      return this.#keep(result, error.message);
    }
  }

  /**
   * Retrieves what is known of an issue: its validation and mitigation, and the scan of the commit. Without an
   * issue, the scan alone. A phase that the platform does not have is looked for among the results on disk.
   * @throws {PlatformRefusedError} when the platform says no.
   * @throws {PlatformUnreachableError} when the platform cannot be reached and `requirePlatform` is set.
   */
  async retrievePhaseResults(
    repo: string,
    issueNumber: number | undefined,
    commitSha: string,
    options: { readonly forge?: 'github' | 'gitlab' | undefined } = {},
  ): Promise<PhaseData> {
    const query: RetrieveQuery = { repo, issueNumber, commitSha, forge: options.forge };
    const answer = this.#platform ? await this.#ask(this.#platform, query) : {};
    return { ...answerFromDisk(await this.#listPending(query), query), ...answer };
  }

  /**
   * Whether a phase may follow another on what it learnt: only the next one does, and only while the working copy is
   * still at the commit that was examined.
   */
  async validatePhaseTransition(from: PhaseSpelling, to: PhaseSpelling, commitSha: string): Promise<boolean> {
    const next: Readonly<Record<Phase, Phase | undefined>> = {
      scan: 'validation',
      validation: 'mitigation',
      mitigation: undefined,
    };
    return next[readPhase(from)] === readPhase(to) && (await currentCommit()) === commitSha;
  }

  async #send(platform: Platform, result: PhaseResult): Promise<StoredOnPlatform> {
    const retrying = new Retrying(this.#retry);
    const { count, waiting, failure } = await this.#resend(platform, retrying, result.metadata);
    if (failure && waiting.some((earlier) => sharesSlot(earlier.result, result))) throw failure;
    const acknowledgement = await retrying.run(() => platform.store(result));
    return { success: true, storage: 'platform', phase: result.phase, ...acknowledgement, resent: count };
  }

  async #ask(platform: Platform, query: RetrieveQuery): Promise<JsonObject> {
    const retrying = new Retrying(this.#retry);
    await this.#resend(platform, retrying, query);
    try {
      return await retrying.run(() => platform.retrieve(query));
    } catch (error) {
      if (!(error instanceof PlatformUnreachableError) || this.#requirePlatform) throw error;
      this.#warn(`${error.message}. Answering from the results on this disk alone.`);
      return {};
    }
  }

  async #resend(platform: Platform, retrying: Retrying, repository: RepositoryReference): Promise<Resent> {
    const to = { platform, retrying, folder: this.#pending };
    return resendPending(await this.#listPending(repository), to, this.#warn);
  }

  /** Of a repository. A folder or a file that cannot be read must not keep a result from the platform. */
  async #listPending(repository: RepositoryReference): Promise<readonly PendingResult[]> {
    try {
      const { results, unreadable, tracked } = await this.#pending.list();
      for (const file of unreadable) this.#warnOnce(`${file} holds no phase result and is left alone`);
      for (const file of tracked)
        this.#warnOnce(
          `${file} came with the checkout (git tracks it) and is left alone: it is no result of this client`,
        );
      const [own = [], others = []] = [true, false].map((isOwn) =>
        results.filter(({ result }) => isSameRepository(result.metadata, repository) === isOwn),
      );
      for (const { file, result } of others)
        this.#warnOnce(
          `${file} holds a result of ${result.metadata.repo} (${result.metadata.forge ?? 'github'}) and is left alone: only a call for that repository sends it`,
        );
      return own;
    } catch (error) {
      this.#warnOnce(`Results kept earlier cannot be read, and stay where they are: ${String(error)}`);
      return [];
    }
  }

  #warnOnce(message: string): void {
    if (!this.#warned.has(message)) this.#warn(message);
    this.#warned.add(message);
  }

  async #keep(result: PhaseResult, reason: string): Promise<StoredLocally> {
    const file = await this.#pending.keep(result).catch((cause: unknown) => {
      const message = `${reason}; and the result could not be kept on this disk either: ${String(cause)}`;
      throw new PlatformUnreachableError(message, { retryable: false, cause });
    });
    const warning =
      `${reason}. The ${result.phase} result of ${result.metadata.repo} is on this machine alone, in ${file}; ` +
      'the next call for this repository that reaches the platform sends it. If this machine is thrown away, so is the result.';
    this.#warn(warning);
    return { success: true, storage: 'local', phase: result.phase, file, warning };
  }
}
