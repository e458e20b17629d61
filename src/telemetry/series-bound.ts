/** Label value that stands for every repository past the bound. */
const OTHER = 'other';

/**
 * Keeps the number of series of one metric family within bounds. Label combinations are admitted as they first come;
 * once `limit` of them exist, a new one has its `repo` replaced by `other`, so that a customer with
 * thousands of repositories cannot fill the memory of this process or of Prometheus. The remaining labels
 * are closed sets, hence the `other` series are few.
 */
export class SeriesBound {
  readonly #admitted = new Set<string>();
  readonly #limit: number;

  /** @param limit label combinations that keep their repository. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** The labels to record under: `labels` itself, or a copy whose `repo` is `other`. */
  admit<Labels extends { readonly repo: string }>(labels: Labels): Labels {
    const key = JSON.stringify(labels);
    if (this.#admitted.has(key)) return labels;
    if (this.#admitted.size >= this.#limit) return { ...labels, repo: OTHER };
    this.#admitted.add(key);
    return labels;
  }
}
