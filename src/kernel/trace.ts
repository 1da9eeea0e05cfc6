import { context, isSpanContextValid, SpanStatusCode, trace } from '@opentelemetry/api';
import type { Attributes, Context, Span } from '@opentelemetry/api';

/** W3C Trace Context, version 00: trace id, parent id, flags. */
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/;
/** Finds the SDK when a span begins: without one it makes spans that record nothing. */
const tracer = trace.getTracer('countersign');

/** The header as it stands when it is a valid W3C traceparent, else undefined. */
export function traceparentOf(header: string | undefined): string | undefined {
  return header !== undefined && readTraceparent(header) ? header : undefined;
}

/** The traceparent of the span that is active here; undefined without an OpenTelemetry SDK in the process. */
export function currentTraceparent(): string | undefined {
  const active = trace.getSpanContext(context.active());
  if (!active || !isSpanContextValid(active)) return undefined;
  return `00-${active.traceId}-${active.spanId}-${active.traceFlags.toString(16).padStart(2, '0')}`;
}

/**
 * Runs `run` within a span that continues the trace of `traceparent`; without one, that of the active span. A
 * failure is recorded on the span and thrown on.
 */
export async function spanOf<T>(
  name: string,
  traceparent: string | null | undefined,
  attributes: Attributes,
  run: (span: Span) => Promise<T>,
): Promise<T> {
  const parent = continued(traceparent);
  const span = tracer.startSpan(name, { attributes }, parent);
  try {
    return await context.with(trace.setSpan(parent, span), run, undefined, span);
  } catch (error) {
    span.recordException(error as Error);
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function continued(traceparent: string | null | undefined): Context {
  const remote = traceparent ? readTraceparent(traceparent) : undefined;
  return remote ? trace.setSpanContext(context.active(), remote) : context.active();
}

function readTraceparent(text: string) {
  const [, traceId = '', spanId = '', flags = ''] = TRACEPARENT.exec(text) ?? [];
  const read = { traceId, spanId, traceFlags: Number.parseInt(flags, 16), isRemote: true };
  // Ids of zeros alone are invalid too.
  return isSpanContextValid(read) ? read : undefined;
}
