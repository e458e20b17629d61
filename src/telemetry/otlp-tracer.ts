import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, ROOT_CONTEXT, SpanKind, SpanStatusCode, TraceFlags, trace } from '@opentelemetry/api';
import { ExportResultCode } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import {
  BatchSpanProcessor,
  ParentBasedSampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { formatTraceparent, parseTraceparent } from './trace-parent.ts';
import type { Tracer, TracerOptions } from './tracer.ts';

const KINDS = { server: SpanKind.SERVER, consumer: SpanKind.CONSUMER, internal: SpanKind.INTERNAL } as const;

/** A process that ends waits no longer for a receiver than this; what was not sent by then is lost. */
const CLOSE_MS = 2_000;

/**
 * Sends spans in batches to an OTLP/HTTP receiver. One that is away or slow costs spans and a line in the log, and nothing
 * else: the queue is bounded. Headers, timeouts and certificates are the exporter's own to read (`OTEL_EXPORTER_OTLP_*`), and
 * `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` come before what is given here.
 */
export function createOtlpTracer(options: TracerOptions & { readonly endpoint: string }): Tracer {
  const { endpoint, ratio, serviceVersion, logger } = options;
  const url = `${endpoint.replace(/\/+$/, '')}/v1/traces`;
  const provider = new TracerProvider({
    resource: resourceOf(options),
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
    spanProcessors: [new BatchSpanProcessor({ exporter: tellingOf(new OTLPTraceExporter({ url }), logger) })],
  });
  const tracer = provider.getTracer('phaserun', serviceVersion);
  return {
    begin(name, { parent, kind = 'internal', attributes = {} }) {
      const span = tracer.startSpan(name, { kind: KINDS[kind], attributes }, contextOf(parent));
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceparent: formatTraceparent({
          traceId,
          spanId,
          isSampled: (traceFlags & TraceFlags.SAMPLED) !== 0,
        }),
        isRecording: span.isRecording(),
        end({ attributes: last = {}, error } = {}) {
          span.setAttributes(last);
          if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: messageOf(error) });
          span.end();
        },
      };
    },
    async close() {
      const sent = provider.shutdown().catch(() => undefined);
      await Promise.race([sent, sleep(CLOSE_MS, undefined, { ref: false })]);
    },
  };
}

function resourceOf({ serviceName, serviceVersion, instance }: TracerOptions) {
  return defaultResource()
    .merge(
      resourceFromAttributes({
        'service.name': serviceName,
        'service.version': serviceVersion,
        'service.instance.id': instance,
      }),
    )
    .merge(detectResources({ detectors: [envDetector] }));
}

function contextOf(parent: string | undefined): Context {
  const given = parseTraceparent(parent);
  if (given === undefined) return ROOT_CONTEXT;
  const { traceId, spanId, isSampled } = given;
  const traceFlags = isSampled ? TraceFlags.SAMPLED : TraceFlags.NONE;
  return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags, isRemote: true });
}

/** The class of an error, and no more: messages hold what customers sent. */
function messageOf(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** Tells when spans begin to be lost, and when they arrive again. */
function tellingOf(exporter: SpanExporter, logger: TracerOptions['logger']): SpanExporter {
  let arrives = true;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const succeeded = result.code === ExportResultCode.SUCCESS;
        if (arrives && !succeeded) logger.warn({ err: result.error }, 'spans cannot be sent');
        if (!arrives && succeeded) logger.info('spans are sent again');
        arrives = succeeded;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  };
}
