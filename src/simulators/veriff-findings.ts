import { PERSONAL } from './veriff-bodies.ts';
import type { Json, VeriffSession } from './veriff-bodies.ts';

const [FIRST_NAME, LAST_NAME, BORN, NUMBER] = PERSONAL;
const VERSION = '1.0.0';

/** The Essential plan's result, which comes instead of a decision. */
export function fullAutoBody(session: VeriffSession, decision: 'approved' | 'declined'): Json {
  const approved = decision === 'approved';
  const read = (value: string) => ({ confidenceCategory: 'high', value, sources: ['VIZ'] });
  return {
    status: 'success',
    eventType: 'fullauto',
    ...headOf(session),
    version: VERSION,
    acceptanceTime: session.attempts.at(-1)?.createdTime,
    time: timeNow(),
    data: {
      verification: {
        decisionScore: approved ? 0.97 : 0.08,
        decision,
        person: { firstName: read(FIRST_NAME), lastName: read(LAST_NAME), dateOfBirth: read(BORN) },
        document: { type: { value: 'passport' }, number: read(NUMBER), country: { value: 'EE' } },
        insights: [
          { label: 'faceLiveness', result: approved ? 'yes' : 'no', category: 'biometric' },
          { label: 'expiredDocument', result: 'no', category: 'document' },
        ],
      },
    },
  };
}

/** Somebody of that name is on a list. */
export function watchlistBody(session: VeriffSession, checkType: string): Json {
  return {
    checkType,
    ...headOf(session),
    matchStatus: 'possible_match',
    searchTerm: { name: `${FIRST_NAME} ${LAST_NAME}`, year: BORN.slice(0, 4) },
    totalHits: 1,
    createdAt: timeNow(),
    hits: [
      {
        matchedName: `Q. ${LAST_NAME}`,
        countries: ['Estonia'],
        dateOfBirth: BORN.slice(0, 4),
        dateOfDeath: null,
        matchTypes: ['name_fuzzy'],
        aka: [],
        associates: [],
        listingsRelatedToMatch: {
          warnings: [],
          sanctions: [],
          fitnessProbity: [],
          pep: [],
          adverseMedia: [],
        },
      },
    ],
  };
}

/** The Mexican electoral registry. */
export function ineBody(session: VeriffSession): Json {
  const details = { active: true, documentState: 'vigente', ocr: NUMBER };
  return registryBody(session, 'ine_registry', {
    status: 'Está vigente como medio de identificación',
    code: 200,
    details,
  });
}

/** The Mexican population registry, whose webhook has everything in places of its own. */
export function curpBody({ id, attemptId, vendorData }: VeriffSession): Json {
  const details = { statusCurp: 'RCN', curp: 'XEXA900203HDFRRR01', description: LAST_NAME };
  return {
    ...{ type: 'curp_registry', id, vendorData, endUserId: null, version: VERSION },
    data: { attemptId, name: 'curp_registry', status: 'found', code: 200, details },
  };
}

/** Both registries at once; where the second part stands is a guess, since no full body is published. */
export function ineAndCurpBody(session: VeriffSession): Json {
  const ine = { active: true, ineIdentifier: NUMBER };
  const curp = { statusCurp: 'AN', curp: 'XEXA900203HDFRRR01' };
  const data = { status: 'found', code: 200, details: { ine, curp } };
  return registryBody(session, 'combined-ine-curp-registry', data);
}

/** A label that somebody gave the attempt in the portal. */
export function userStatusBody(session: VeriffSession): Json {
  const userDefinedData = {
    status: `Looks like ${FIRST_NAME} ${LAST_NAME}`,
    statusCode: 'looks_odd',
    reason: `Compare with ${LAST_NAME}`,
    reasonCode: null,
    createdAt: timeNow(),
  };
  return {
    data: { verification: { id: session.attemptId, userDefinedData } },
    time: timeNow(),
    eventType: 'user-status.created',
    ...headOf(session),
  };
}

/** A type that no documentation names yet. */
export function laterTypeBody(session: VeriffSession): Json {
  return registryBody(session, 'something-new.created', { verification: { status: 'declined' } });
}

function registryBody(session: VeriffSession, eventType: string, data: Json): Json {
  return { eventType, ...headOf(session), version: VERSION, time: timeNow(), data };
}

function headOf({ id, attemptId, vendorData }: VeriffSession) {
  return { sessionId: id, attemptId, vendorData, endUserId: null };
}

function timeNow(): string {
  return new Date().toISOString();
}
