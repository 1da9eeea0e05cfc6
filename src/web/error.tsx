import type { Request, Response } from 'express';
import type { AppError } from '../kernel/errors.ts';
import type { Brand } from '../tenants/brand-store.ts';
import { frameOf } from './language.ts';
import type { Frame } from './language.ts';
import { page } from './layout.tsx';
import { Stop } from './stop.ts';
import type { Texts } from './texts/index.ts';

type Kind = keyof Texts['stops'];

/** The words for errors that say nothing to people themselves. */
const KINDS: { [status: number]: Kind } = {
  400: 'unreadable',
  403: 'refused',
  404: 'not_a_link',
  405: 'not_a_link',
  409: 'ended',
  410: 'ended',
  413: 'unreadable',
  415: 'unreadable',
  429: 'too_many',
  503: 'away',
};

type Failure = {
  error: AppError | undefined;
  status: number;
  requestId: string;
  /** whose page it is, where the error does not say */
  brand: Brand | undefined;
};

/** What people see instead of a JSON error: what happened, what they can do, and whom to ask. */
export function errorPage(req: Request, res: Response, { error, status, requestId, brand }: Failure): string {
  const isStop = error instanceof Stop;
  const kind = isStop ? error.kind : (KINDS[status] ?? 'broken');
  return stopPage(frameOf(req, res, (isStop ? error.brand : undefined) ?? brand), kind, { requestId });
}

/** Why a person cannot go on, and what to do. */
export function stopPage(frame: Frame, kind: Kind, { requestId }: { requestId: string }): string {
  const { stops, requestId: tell } = frame.texts;
  const { title, text } = stops[kind];
  return page(
    frame,
    title,
    <>
      <h1>{title}</h1>
      <p>{text}</p>
      <p class="quiet">
        {tell} <code>{requestId}</code>
      </p>
    </>,
  );
}
