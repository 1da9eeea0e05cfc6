export { decisionBody, PERSONAL } from '../../src/simulators/veriff-bodies.ts';
export type { Decision, VeriffSession } from '../../src/simulators/veriff-bodies.ts';
