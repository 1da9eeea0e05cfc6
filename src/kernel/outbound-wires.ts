import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Socket } from 'node:net';
import type { DiagnosticsChannel } from 'undici';

/** What one request had under it; no socket yet means that the connection never stood. */
export type Wire = {
  signal: AbortSignal;
  socket?: Socket;
  peer?: string | undefined;
  wasUsed?: boolean;
  bytesBefore?: number;
};

/** undici tells about sockets only on these channels: a request is created while it is dispatched, and sent later. */
export function watchWires() {
  const byRequest = new WeakMap<object, Wire>();
  const used = new WeakSet<Socket>();
  let dispatching: Wire | undefined;
  const onCreate = (message: unknown) => {
    if (dispatching) byRequest.set((message as DiagnosticsChannel.RequestCreateMessage).request, dispatching);
  };
  const onSend = (message: unknown) => {
    const { request, socket } = message as DiagnosticsChannel.ClientSendHeadersMessage;
    const wire = byRequest.get(request);
    if (!wire) return;
    const { remoteAddress: peer, bytesRead: bytesBefore } = socket;
    Object.assign(wire, { socket, peer, bytesBefore, wasUsed: used.has(socket) } satisfies Partial<Wire>);
    used.add(socket);
  };
  subscribe('undici:request:create', onCreate);
  subscribe('undici:client:sendHeaders', onSend);

  return {
    /** The request being dispatched: undici opens a connection for it within that call. */
    current: () => dispatching,
    watch<T>(wire: Wire, dispatch: () => T): T {
      dispatching = wire;
      try {
        return dispatch();
      } finally {
        dispatching = undefined;
      }
    },
    stop() {
      unsubscribe('undici:request:create', onCreate);
      unsubscribe('undici:client:sendHeaders', onSend);
    },
  };
}

/** The server closed an idle connection just as we wrote on it: RFC 9112 §9.3.1, nothing of an answer was read. */
export function isStale({ socket, wasUsed, bytesBefore }: Wire): boolean {
  return socket !== undefined && wasUsed === true && socket.bytesRead === bytesBefore;
}
