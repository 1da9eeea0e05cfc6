export { ACTIONS, cardOf, CONTEXT_BLOCK } from './card.ts';
export { noticeOf } from './notice.ts';
export type { Shown, View } from './shown.ts';
