/** For the help of the commands that send spans. */
export const TRACE_ENVIRONMENT: Readonly<Record<string, string>> = {
  OTEL_EXPORTER_OTLP_ENDPOINT:
    'where spans go (OTLP over HTTP), other OTEL_EXPORTER_OTLP_* with it; default: nowhere',
  OTEL_TRACES_SAMPLER_ARG: 'how many of the traces that begin here are sent, 0 to 1; default 1',
};
