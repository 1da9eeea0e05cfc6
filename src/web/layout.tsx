import type { ComponentChildren } from 'preact';
import { render } from 'preact-render-to-string';
import type { Brand } from '../tenants/brand-store.ts';
import { assetUrl, logoUrl } from './files.ts';
import type { Frame } from './language.ts';
import { SupportContacts } from './support.tsx';
import { LANGUAGES, TEXTS } from './texts/index.ts';

/** One page of HTML: a calm frame around the content, with the tenant's name above and whom to ask below; nothing from elsewhere. */
export function page(frame: Frame, title: string, children: ComponentChildren): string {
  const { lang, texts, brand, device, wait } = frame;
  return `<!DOCTYPE html>${render(
    <html lang={lang}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex, nofollow" />
        <meta name="color-scheme" content="light dark" />
        <title>{`${title} · ${brand?.name ?? texts.purpose}`}</title>
        <link rel="icon" href={assetUrl('icon.svg')} />
        <link rel="stylesheet" href={assetUrl('countersign.css')} />
        {device === undefined ? null : (
          <script src={assetUrl('device.js')} defer data-send-to={device}></script>
        )}
        {wait === undefined ? null : <script src={assetUrl('wait.js')} defer data-say={wait}></script>}
      </head>
      <body>
        <header>
          <Sign brand={brand} otherwise={texts.purpose} />
        </header>
        <main>{children}</main>
        <footer>
          <SupportContacts texts={texts} brand={brand} />
          <Languages frame={frame} />
          <p>{texts.madeBy}</p>
        </footer>
      </body>
    </html>,
  )}`;
}

/** Who stands behind the page. The name stands beside the logo, so that the logo needs no words. */
function Sign({ brand, otherwise }: { brand: Brand | undefined; otherwise: string }) {
  return (
    <>
      {brand?.logo ? (
        <div class="logo">
          <img src={logoUrl(brand.id, brand.logo)} alt="" />
        </div>
      ) : null}
      <p class="organization" dir="auto">
        {brand?.name ?? otherwise}
      </p>
    </>
  );
}

function Languages({ frame: { lang, texts, here } }: { frame: Frame }) {
  if (here === undefined) return null;
  return (
    <nav aria-label={texts.languages}>
      <ul class="languages">
        {LANGUAGES.map((one) => (
          <li key={one}>
            <a
              href={`${here}${here.includes('?') ? '&' : '?'}lang=${one}`}
              lang={one}
              hreflang={one}
              aria-current={one === lang ? 'true' : undefined}
            >
              {TEXTS[one].name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
