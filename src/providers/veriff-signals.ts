import { asObject, objectsOf, timeOf, wordingOf, wordOf } from './json.ts';
import type { Json } from './json.ts';
import type { Fact, Signal } from './provider.ts';

const MAX_LISTED = 50;

/** Whether somebody of this name is on a list: how many hits, never whom or what. */
export function watchlistSignal({ checkType, matchStatus, totalHits, createdAt }: Json): Signal {
  const facts = {
    check_type: wordOf(checkType),
    match_status: wordOf(matchStatus),
    total_hits: numberOf(totalHits),
  };
  return { kind: 'watchlist_screening', at: timeOf(createdAt), facts };
}

/** What made a decision risky, by Veriff's labels; none where there are none. */
export function riskSignals({ riskLabels, decisionTime }: Json): Signal[] {
  const labels = objectsOf(riskLabels)
    .slice(0, MAX_LISTED)
    .map(({ label, category }) => ({ label: wordOf(label), category: wordOf(category) }));
  return labels.length === 0 ? [] : [{ kind: 'risk_labels', at: timeOf(decisionTime), facts: { labels } }];
}

/**
 * What a Mexican registry knows: that there is an entry and how it stands, never whose. The body that tells of both
 * registries has a part for each; where its second one stands is not published in full.
 */
export function registrySignal(kind: string, { data, time }: Json): Signal {
  const { status, code, details } = asObject(data) ?? {};
  const whole = asObject(details) ?? {};
  const active = asObject(whole.ine)?.active ?? whole.active;
  const statusCurp = asObject(whole.curp)?.statusCurp ?? whole.statusCurp;
  const facts: { [name: string]: Fact } = {
    status: wordingOf(status),
    code: numberOf(code) ?? wordOf(code),
  };
  if (typeof active === 'boolean') facts.active = active;
  // A code of a few letters; a CURP itself has digits, too.
  if (typeof statusCurp === 'string' && /^[A-Z]{1,8}$/.test(statusCurp)) facts.status_curp = statusCurp;
  return { kind, at: timeOf(time), facts };
}

/** The code of the label that somebody at the Customer Portal gave an attempt; what they typed may name a person. */
export function userStatusSignal({ data, time }: Json): Signal {
  const { statusCode, createdAt } = userStatusOf(data);
  const facts = { status_code: wordOf(statusCode) };
  return { kind: 'user_status', at: timeOf(createdAt) ?? timeOf(time), facts };
}

/** How sure Veriff is, and of what. */
export function fullAutoSignal({ data, time }: Json): Signal {
  const { decisionScore, insights } = asObject(asObject(data)?.verification) ?? {};
  const facts = {
    decision_score: numberOf(decisionScore),
    insights: objectsOf(insights)
      .slice(0, MAX_LISTED)
      .map(({ label, result, category }) => ({
        label: wordOf(label),
        result: wordOf(result),
        category: wordOf(category),
      })),
  };
  return { kind: 'full_auto', at: timeOf(time), facts };
}

/** What stands inside a user-defined status. */
export function userStatusOf(data: unknown): Json {
  return asObject(asObject(asObject(data)?.verification)?.userDefinedData) ?? {};
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}
