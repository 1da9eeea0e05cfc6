declare module 'samlp' {
  import type { Request, RequestHandler, Response } from 'express';

  /** As much of it as the tests use; it brings no types of its own. */
  type AuthnRequest = {
    id: string;
    issuer: string;
    assertionConsumerServiceURL: string;
    forceAuthn?: string;
    requestedAuthnContext?: { authnContextClassRef: string };
  };
  const samlp: {
    metadata(options: object): RequestHandler;
    parseRequest(
      request: Request,
      options: object,
      done: (error: Error | null, request?: AuthnRequest) => void,
    ): void;
    getSamlResponse(options: object, user: object, done: (error: Error | null, xml?: string) => void): void;
    sendError(options: object): (request: Request, response: Response, next: (error: Error) => void) => void;
  };
  export default samlp;
  export type { AuthnRequest };
}
