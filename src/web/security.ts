import type { Request, RequestHandler, Response } from 'express';
import helmet from 'helmet';

const NOBODY = ["'none'"];
const SELF = ["'self'"];

/** The headers that say what our answers may do in a browser: load our own styles, scripts and pictures, send our own forms, be framed by nobody. */
export function security(https: boolean): RequestHandler {
  return helmet({
    contentSecurityPolicy: policyFor(NOBODY),
    strictTransportSecurity: https,
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
    // For browsers and plug-ins that are gone, or implied by what is above.
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  });
}

/** Lets these sites frame this one answer; they are sources as frame-ancestors knows them. */
export function letFrame(req: Request, res: Response, sources: string[]): void {
  helmet.contentSecurityPolicy(policyFor(sources))(req, res, (error) => {
    if (error) throw error;
  });
  // It can name no sites: browsers that know both would let it win, or refuse all.
  if (sources.includes("'none'")) res.set('X-Frame-Options', 'DENY');
  else res.removeHeader('X-Frame-Options');
}

function policyFor(frameAncestors: string[]) {
  return {
    useDefaults: false,
    directives: {
      defaultSrc: NOBODY,
      styleSrc: SELF,
      scriptSrc: SELF,
      imgSrc: SELF,
      connectSrc: SELF,
      formAction: SELF,
      frameAncestors,
      baseUri: NOBODY,
    },
  } as const;
}
