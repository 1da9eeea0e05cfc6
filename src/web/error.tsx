import { page } from './layout.tsx';

const TITLES: { [status: number]: string } = {
  403: 'This does not work here',
  404: 'This link does not work',
  410: 'This request has ended',
  503: 'Please try again in a moment',
};

/** What people see instead of a JSON error. */
export function errorPage({
  status,
  message,
  requestId,
}: {
  status: number;
  message: string | undefined;
  requestId: string;
}): string {
  const title = TITLES[status] ?? 'Something went wrong';
  return page(
    title,
    <>
      <h1>{title}</h1>
      <p>{message ?? 'We could not do this just now. Nothing was decided; please try again.'}</p>
      <p class="quiet">
        If this keeps happening, tell your help desk this number: <code>{requestId}</code>
      </p>
    </>,
  );
}
