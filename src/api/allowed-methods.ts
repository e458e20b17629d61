/** Which methods the routes of an address answer, for `405` and its `allow` header. */
export class AllowedMethods {
  readonly #routes: { readonly pattern: readonly string[]; readonly methods: readonly string[] }[] = [];

  /** @param url a route pattern as Fastify knows it: `/a/:id`, `/static/*`. */
  add(url: string, method: string | readonly string[]): void {
    this.#routes.push({ pattern: segmentsOf(url), methods: [method].flat() });
  }

  /**
   * Methods for this path, sorted; empty when no route has it. A path that routes name literally is theirs alone, whatever
   * patterns match it too: `/tasks/route` is no task.
   */
  find(path: string): string[] {
    const literal = this.#literal(path);
    const routes = literal.length > 0 ? literal : this.#matching(path);
    return [...new Set(routes.flatMap(({ methods }) => methods))].sort();
  }

  /** Whether a route names this path literally. */
  isLiteral(path: string): boolean {
    return this.#literal(path).length > 0;
  }

  #literal(path: string) {
    const segments = segmentsOf(path);
    return this.#matching(path).filter(({ pattern }) =>
      pattern.every((part, index) => part === segments[index]),
    );
  }

  #matching(path: string) {
    const segments = segmentsOf(path);
    return this.#routes.filter(({ pattern }) => matches(pattern, segments));
  }
}

function segmentsOf(path: string): string[] {
  return path.split('/').filter((segment) => segment !== '');
}

function matches(pattern: readonly string[], segments: readonly string[]): boolean {
  const isOpen = pattern.at(-1) === '*';
  if (isOpen ? segments.length < pattern.length : segments.length !== pattern.length) return false;
  return pattern.every((part, index) => part === '*' || part.startsWith(':') || part === segments[index]);
}
