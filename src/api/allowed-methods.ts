/** Which methods the routes of an address answer, for `405` and its `allow` header. */
export class AllowedMethods {
  readonly #routes: { readonly pattern: readonly string[]; readonly methods: readonly string[] }[] = [];

  /** @param url a route pattern as Fastify knows it: `/a/:id`, `/static/*`. */
  add(url: string, method: string | readonly string[]): void {
    this.#routes.push({ pattern: segmentsOf(url), methods: [method].flat() });
  }

  /** Methods for this path, sorted; empty when no route has it. */
  find(path: string): string[] {
    const segments = segmentsOf(path);
    const matching = this.#routes.filter(({ pattern }) => matches(pattern, segments));
    return [...new Set(matching.flatMap(({ methods }) => methods))].sort();
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
