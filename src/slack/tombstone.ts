import type { Role } from '../deliveries/messages-store.ts';
import { header, plain, section, table } from './blocks.ts';
import { ending, origin, reference } from './parts.ts';
import { endOf } from './shown.ts';
import type { Frame, View } from './shown.ts';
import { TEXTS } from './texts/index.ts';

/** What is left of either message once the challenge was erased: how it ended, and nothing about anybody. */
export function tombstoneOf(frame: Frame, role: Role): View {
  const texts = TEXTS[frame.language];
  const end = endOf(frame.challenge);
  const { title } = role === 'card' ? texts.card.ends[end] : texts.notice.states[end];
  return {
    text: title,
    blocks: [
      header(title),
      ...origin(frame),
      section(plain(texts.erased)),
      ...table(ending(frame)),
      ...reference(frame),
    ],
  };
}
