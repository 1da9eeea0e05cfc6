import type { View } from './parts.tsx';

/** Some browsers keep no cookies for a page inside another site, and sign-in services are shown in no frame. */
export function OwnTab({ view, url, only }: { view: View; url: string; only: boolean }) {
  const { start } = view.frame.texts;
  const link = (className?: string) => (
    <a href={url} class={className} target="_blank" rel="noopener noreferrer">
      {start.ownTab}
    </a>
  );
  if (!only)
    return (
      <p class="quiet">
        {start.ownTabAsk} {link()}
      </p>
    );
  return (
    <>
      <p>{start.ownTabOnly}</p>
      <p>{link('action')}</p>
    </>
  );
}
