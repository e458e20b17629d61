import type { Logger } from 'pino';
import { newTraceparent, parseTraceparent } from './trace-parent.ts';

/** What is said of a span; names are those of OpenTelemetry's semantic conventions where it has one. */
export type SpanAttributes = Readonly<Record<string, string | number>>;

/** A piece of work that belongs to a trace. */
export interface Span {
  /** W3C Trace Context for what is done below it. */
  readonly traceparent: string;
  /** Whether it goes anywhere when it ends. */
  readonly isRecording: boolean;
  /** To be called once. An error, of any kind, makes it a failed one. */
  end(ending?: { readonly attributes?: SpanAttributes; readonly error?: unknown }): void;
}

export interface SpanStart {
  /** The `traceparent` above it, from wherever it came: what is none is taken for none, and begins a trace. */
  readonly parent: string | undefined;
  /** Whom it works for: a caller over the network, something that was left for it, or this process itself. */
  readonly kind?: 'server' | 'consumer' | 'internal';
  readonly attributes?: SpanAttributes;
}

/** Makes spans. Parents are passed along by hand, since nothing is free that follows every promise. */
export interface Tracer {
  begin(name: string, start: SpanStart): Span;
  /** Sends what has ended, for a moment and no longer. */
  close(): Promise<void>;
}

export interface TracerOptions {
  /** Where to send spans: the base URL of an OTLP/HTTP receiver. Undefined: nowhere. */
  readonly endpoint: string | undefined;
  /** How many of the traces that begin here are sent, 0 … 1; of others, whoever began them decides. */
  readonly ratio: number;
  readonly serviceName: string;
  readonly serviceVersion: string;
  /** Tells replicas apart. */
  readonly instance: string;
  readonly logger: Pick<Logger, 'info' | 'warn'>;
}

/** Traces go on through it, from the parent it is given to what comes next, and no span is made. */
export const IDLE_TRACER: Tracer = {
  begin: (_name, { parent }) => ({
    traceparent: parent !== undefined && parseTraceparent(parent) ? parent : newTraceparent(),
    isRecording: false,
    end: () => undefined,
  }),
  close: () => Promise.resolve(),
};

/** OpenTelemetry is loaded where there is somewhere to send spans, and nowhere else. */
export async function createTracer(options: TracerOptions): Promise<Tracer> {
  const { endpoint } = options;
  if (endpoint === undefined) return IDLE_TRACER;
  const { createOtlpTracer } = await import('./otlp-tracer.ts');
  return createOtlpTracer({ ...options, endpoint });
}

/** Does the work in a span, which fails with it. */
export async function traced<T>(
  tracer: Pick<Tracer, 'begin'>,
  name: string,
  start: SpanStart,
  work: (traceparent: string) => Promise<T>,
): Promise<T> {
  const span = tracer.begin(name, start);
  try {
    const result = await work(span.traceparent);
    span.end();
    return result;
  } catch (error) {
    span.end({ error });
    throw error;
  }
}
