import { isWeb } from '../tenants/brand.ts';
import type { Brand, Support } from '../tenants/brand-store.ts';
import type { Texts } from './texts/index.ts';

/** Whom to ask, as far as the tenant has said; else the help desk that everybody has. */
export function SupportContacts({ texts, brand }: { texts: Texts; brand: Brand | undefined }) {
  const links = linksOf(brand?.support ?? {}, texts);
  if (links.length === 0) return <p>{texts.support.none}</p>;
  return (
    <>
      <p>{texts.support.ask(brand?.name ?? null)}</p>
      <ul class="contacts">
        {links.map(({ href, text }) => (
          <li key={text}>{href === undefined ? text : <a href={href}>{text}</a>}</li>
        ))}
      </ul>
    </>
  );
}

/** Whatever the row says: a link leads to a web page, never to a script. */
function linksOf({ email, phone, slack, url }: Support, { support }: Texts) {
  return [
    email === undefined
      ? undefined
      : { href: `mailto:${encodeURIComponent(email).replace('%40', '@')}`, text: support.email(email) },
    phone === undefined ? undefined : { href: `tel:${diallable(phone)}`, text: support.phone(phone) },
    slack === undefined ? undefined : channel(slack, support),
    url === undefined || !isWeb(url) ? undefined : { href: url, text: support.portal },
  ].filter((link) => link !== undefined);
}

function channel(slack: string, support: Texts['support']): { href?: string; text: string } {
  return isWeb(slack) ? { href: slack, text: support.openChannel } : { text: support.channel(slack) };
}

/** Without the zero that is dialled only inside the country, as in +49 (0) 30. */
function diallable(phone: string): string {
  return phone.replace(/^(\+.*)\(0\)/, '$1').replaceAll(/[^+\d]/g, '');
}
