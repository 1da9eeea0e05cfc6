export { authHeaders, sign } from '../../src/simulators/veriff-auth.ts';
