import { randomBytes } from 'node:crypto';

/** What a `traceparent` says. */
export interface TraceParent {
  /** 32 hex digits: of everything that belongs together. */
  readonly traceId: string;
  /** 16 hex digits: the span that what comes next is below. */
  readonly spanId: string;
  /** Whether whoever began the trace records it. */
  readonly isSampled: boolean;
}

// https://www.w3.org/TR/trace-context/#traceparent-header; ids of zeros alone are invalid.
const TRACEPARENT = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})$/;

/** Reads W3C Trace Context, of a header or an annotation; undefined when it is anything else, which is no error. */
export function parseTraceparent(text: unknown): TraceParent | undefined {
  const [, traceId, spanId, flags] = (typeof text === 'string' && TRACEPARENT.exec(text)) || [];
  if (traceId === undefined || spanId === undefined || flags === undefined) return undefined;
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 };
}

/** The `traceparent` that says so. */
export function formatTraceparent({ traceId, spanId, isSampled }: TraceParent): string {
  return `00-${traceId}-${spanId}-${isSampled ? '01' : '00'}`;
}

/** A trace of its own, which nobody records: it ties log lines together. */
export function newTraceparent(): string {
  const [traceId, spanId] = [randomBytes(16).toString('hex'), randomBytes(8).toString('hex')];
  return formatTraceparent({ traceId, spanId, isSampled: false });
}

/** The trace of a valid `traceparent`, as logs name it. */
export function traceIdOf(traceparent: string): string {
  return traceparent.slice(3, 35);
}
