export { ACTIONS, cardOf, CONTEXT_BLOCK } from './card.ts';
export { noticeOf } from './notice.ts';
export { tombstoneOf } from './tombstone.ts';
export type { Shown, View } from './shown.ts';
