import { parseAllDocuments } from 'yaml';
import { z } from 'zod';

/** An object as people write it; only what names it is looked at. */
const manifest = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), namespace: z.string().optional() }),
});

export type Manifest = z.infer<typeof manifest>;

/**
 * The objects of a YAML file with any number of documents; empty ones are skipped.
 * @throws Error naming the document that is no object of Kubernetes
 */
export function parseManifests(yaml: string): Manifest[] {
  return parseAllDocuments(yaml).flatMap((document, index) => {
    const [error] = document.errors;
    if (error !== undefined) throw error;
    const value: unknown = document.toJS();
    if (value === null) return [];
    const parsed = manifest.safeParse(value);
    if (parsed.success) return [parsed.data];
    throw new Error(`document ${index + 1} is no Kubernetes object: ${z.prettifyError(parsed.error)}`);
  });
}
