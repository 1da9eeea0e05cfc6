import type { Policy } from './address.ts';
import { refused } from './outbound-errors.ts';
import { judgeUrl } from './outbound-url.ts';

const TARGETS_KEPT_MAX = 1_000;

/** An accepted URL in the two parts that undici wants. */
export type Target = { origin: string; path: string };

/** Judges URLs and remembers the accepted ones: a verdict is a pure function of text and policy, so none grows old. */
export function createTargets(policy: Policy): (text: string) => Target {
  const known = new Map<string, Target>();
  return (text) => {
    const remembered = known.get(text);
    if (remembered) return remembered;
    const { origin, pathname, search } = acceptedUrl(text, policy);
    const target = { origin, path: pathname + search };
    const [oldest] = known.size < TARGETS_KEPT_MAX ? [] : known.keys();
    if (oldest !== undefined) known.delete(oldest);
    known.set(text, target);
    return target;
  };
}

/** The normalised URL; throws OutboundError when the policy refuses it. */
export function acceptedUrl(text: string, policy: Policy): URL {
  const verdict = judgeUrl(text, policy);
  if ('refusal' in verdict) throw refused(verdict.refusal);
  return verdict.url;
}
