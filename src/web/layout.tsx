import type { ComponentChildren } from 'preact';
import { render } from 'preact-render-to-string';

/** One page of HTML: a calm frame around the content, no script, nothing from elsewhere. */
export function page(title: string, children: ComponentChildren): string {
  return `<!DOCTYPE html>${render(
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · Countersign`}</title>
        <link rel="icon" href="data:," />
        <link rel="stylesheet" href="/assets/pico.css" />
        <link rel="stylesheet" href="/assets/countersign.css" />
      </head>
      <body>
        <main class="container">
          <article>{children}</article>
          <footer>Identity verification by Countersign</footer>
        </main>
      </body>
    </html>,
  )}`;
}
