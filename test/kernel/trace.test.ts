import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import type { Context, ContextManager, Span, SpanOptions, TracerProvider } from '@opentelemetry/api';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { currentTraceparent, spanOf, traceparentOf } from '../../src/kernel/trace.ts';

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';
const TRACEPARENT = `00-${TRACE}-${PARENT}-01`;

describe('an incoming traceparent', () => {
  test.each([TRACEPARENT, `00-${TRACE}-${PARENT}-00`, `00-${TRACE}-${PARENT}-ff`])(
    '%s is taken',
    (header) => {
      expect(traceparentOf(header)).toBe(header);
    },
  );

  test.each([
    ['no header', undefined],
    ['an empty one', ''],
    ['another version', TRACEPARENT.replace('00', '01')],
    ['the forbidden version', TRACEPARENT.replace('00', 'ff')],
    ['capitals', TRACEPARENT.toUpperCase()],
    ['a trace id of zeros', `00-${'0'.repeat(32)}-${PARENT}-01`],
    ['a parent id of zeros', `00-${TRACE}-${'0'.repeat(16)}-01`],
    ['a short trace id', `00-${TRACE.slice(1)}-${PARENT}-01`],
    ['a long parent id', `00-${TRACE}-${PARENT}0-01`],
    ['no flags', `00-${TRACE}-${PARENT}`],
    ['something after it', `${TRACEPARENT}-what`],
    ['a line after it', `${TRACEPARENT}\n`],
    ['two of them', `${TRACEPARENT}, ${TRACEPARENT}`],
    ['space around it', ` ${TRACEPARENT}`],
  ])('%s is ignored', (_what, header) => {
    expect(traceparentOf(header)).toBeUndefined();
  });
});

describe('without an SDK', () => {
  test('work runs as if there were no tracing, and no trace is claimed', async () => {
    expect(currentTraceparent()).toBeUndefined();
    const inside = await spanOf('work', TRACEPARENT, { lane: 0 }, async () => currentTraceparent());
    expect(inside).toBeUndefined();
  });

  test('a failure comes through untouched', async () => {
    const failure = new Error('no');
    await expect(spanOf('work', undefined, {}, () => Promise.reject(failure))).rejects.toBe(failure);
  });
});

describe('with an SDK', () => {
  const spans: RecordedSpan[] = [];
  // Registered once, as in a process: a tracer keeps the provider that it found first.
  beforeAll(() => {
    trace.setGlobalTracerProvider(recorder(spans));
    context.setGlobalContextManager(localContext());
  });
  beforeEach(() => void spans.splice(0));
  afterAll(() => {
    trace.disable();
    context.disable();
  });

  test('a span continues the trace that the event was committed in', async () => {
    const inside = await spanOf('attempt', TRACEPARENT, { lane: 2 }, async () => currentTraceparent());
    expect(spans).toMatchObject([
      { name: 'attempt', traceId: TRACE, parentId: PARENT, remoteParent: true, attributes: { lane: 2 } },
    ]);
    expect(inside).toBe(`00-${TRACE}-${spans[0]?.spanId}-01`);
    expect(currentTraceparent()).toBeUndefined();
  });

  test('what begins inside is its child, also after waiting and beside another', async () => {
    const attempt = (n: number) =>
      spanOf(`outer ${n}`, TRACEPARENT, {}, async () => {
        await sleep(5);
        await spanOf(`inner ${n}`, undefined, {}, () => sleep(5));
      });
    await Promise.all([attempt(1), attempt(2)]);
    for (const n of [1, 2]) {
      const outer = spans.find(({ name }) => name === `outer ${n}`);
      expect(outer).toMatchObject({ traceId: TRACE, parentId: PARENT });
      expect(spans.find(({ name }) => name === `inner ${n}`)).toMatchObject({
        ...{ traceId: TRACE, parentId: outer?.spanId, remoteParent: false },
      });
    }
  });

  test.each([undefined, null, 'nonsense'])(
    'with the traceparent %s a trace of its own begins',
    async (none) => {
      await spanOf('attempt', none, {}, () => Promise.resolve());
      expect(spans).toMatchObject([{ name: 'attempt', parentId: undefined }]);
      expect(spans[0]?.traceId).not.toBe(TRACE);
    },
  );

  test('what has been learned can be put on the span, which ends when the work does', async () => {
    await spanOf('attempt', TRACEPARENT, {}, async (span) => {
      await sleep(1);
      expect(spans[0]?.ended).toBe(0);
      span.setAttributes({ status_code: 204 });
    });
    expect(spans).toMatchObject([{ ended: 1, attributes: { status_code: 204 }, exceptions: [] }]);
  });

  test('a failure is recorded, marks the span, and is thrown on', async () => {
    const failure = new Error('the database is away');
    await expect(spanOf('attempt', TRACEPARENT, {}, () => Promise.reject(failure))).rejects.toBe(failure);
    expect(spans).toMatchObject([{ ended: 1, exceptions: [failure], status: 2 }]);
  });
});

type RecordedSpan = {
  name: string;
  traceId: string;
  spanId: string;
  parentId: string | undefined;
  remoteParent: boolean | undefined;
  attributes: object;
  exceptions: unknown[];
  status: number | undefined;
  ended: number;
};

/** The least that is a tracer provider: it remembers. */
function recorder(spans: RecordedSpan[]): TracerProvider {
  const hex = (length: number) => (spans.length + 1).toString(16).padStart(length, 'a');
  const startSpan = (name: string, options: SpanOptions = {}, within: Context = context.active()) => {
    const parent = trace.getSpanContext(within);
    const spanId = hex(16);
    const recorded: RecordedSpan = {
      ...{ name, spanId, traceId: parent?.traceId ?? hex(32), parentId: parent?.spanId },
      ...{ remoteParent: parent && (parent.isRemote ?? false), attributes: { ...options.attributes } },
      ...{ exceptions: [], status: undefined, ended: 0 },
    };
    spans.push(recorded);
    const span: Partial<Span> = {
      spanContext: () => ({ traceId: recorded.traceId, spanId, traceFlags: 1 }),
      setAttributes: (more) => (Object.assign(recorded.attributes, more), span as Span),
      recordException: (exception) => void recorded.exceptions.push(exception),
      setStatus: ({ code }) => ((recorded.status = code), span as Span),
      end: () => void (recorded.ended += 1),
    };
    return span as Span;
  };
  const startActiveSpan = () => {
    throw new Error('not needed here');
  };
  return { getTracer: () => ({ startSpan, startActiveSpan }) };
}

/** What SDKs use in Node: the active context follows asynchronous calls. */
function localContext(): ContextManager {
  const storage = new AsyncLocalStorage<Context>();
  const manager: ContextManager = {
    active: () => storage.getStore() ?? ROOT_CONTEXT,
    with: (active, run, thisArg, ...args) => storage.run(active, () => run.call(thisArg, ...args)),
    bind: (_context, target) => target,
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}
