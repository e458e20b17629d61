import { isJsonObject, type JsonObject } from '../client/phase-result.ts';

/** Longest metadata in text, in characters; the structured content has it whole. */
const METADATA_LIMIT = 200;

/** An answer of the API as text for a model to read: JSON, in which long metadata is cut. */
export function renderAnswer(answer: JsonObject): string {
  return JSON.stringify(
    answer,
    (name, value: unknown) => (name === 'metadata' ? cutMetadata(value) : value),
    2,
  );
}

function cutMetadata(metadata: unknown): unknown {
  const text = isJsonObject(metadata) ? JSON.stringify(metadata) : metadata;
  if (typeof text !== 'string' || text.length <= METADATA_LIMIT) return metadata;
  return `${text.slice(0, METADATA_LIMIT).replace(/[\uD800-\uDBFF]$/, '')}…`;
}
