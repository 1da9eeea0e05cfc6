/** All words that people read on our pages, in English; values are put in by functions. */
export const en = {
  name: 'English',
  languages: 'Language',
  purpose: 'Identity verification',
  madeBy: 'Identity verification by Countersign',
  testMode: 'Test mode',
  reference: 'Reference',
  anySystem: 'An automated system of your organization',
  sandboxName: 'the sandbox',
  somebody: 'Whoever asked',
  support: {
    ask: (organization: string | null) =>
      organization ? `Questions? Ask ${organization}:` : 'Questions? Ask for help:',
    none: 'Questions? Contact your help desk.',
    email: (address: string) => `E-mail ${address}`,
    phone: (number: string) => `Call ${number}`,
    channel: (name: string) => `Slack: ${name}`,
    openChannel: 'Open the Slack channel',
    portal: 'Open support portal',
  },
  facts: {
    context: 'Why',
    ticket: 'Ticket',
    target: 'Who is asked',
    deadline: 'Valid until',
    left: (left: string, deadline: string) => `${left} left (${deadline} UTC)`,
    ended: 'Ended',
    at: (time: string) => `${time} UTC`,
  },
  report: {
    link: 'This wasn’t me: report it',
    title: 'Report that this wasn’t you?',
    open: (requester: string) =>
      `The request ends at once, and nobody can go on with it. ${requester} will see that it was not you.`,
    verified: (requester: string) =>
      `The verification will no longer count. ${requester} will see that it was not you.`,
    comment: 'What happened? (optional)',
    commentHint: (max: number) =>
      `In one line; what is longer than ${max} characters is cut. Never write a password here.`,
    go: 'Yes, report it',
    back: 'No, go back',
  },
  start: {
    title: 'Confirm that it is you',
    lead: (requester: string) =>
      `${requester} asks for proof that it is really you. Go on only if you know why.`,
    code: 'Verification code',
    codeHint: 'Whoever asks sees the same digits. If not, do not go on.',
    before: 'This was started before',
    beforeText:
      'Somebody has pressed Continue already, in this browser or on another device. If that was you, you may start again here; what is open there then no longer counts. If it was not you, report it.',
    next: 'Continue',
    after: (label: string) => `Then you prove who you are with ${label}.`,
    go: (label: string) => `Continue with ${label}`,
    harmless: 'Opening this page has changed nothing. Nothing happens until you continue.',
    told: 'With the result, whoever asks sees some facts about your device: browser, system, screen, time zone, language and network address.',
    ownTabAsk: 'Does it not work here?',
    ownTab: 'Open it in a tab of its own',
    ownTabOnly:
      'Signing in does not work inside another site: only in a tab of its own can you see where you enter your password.',
  },
  answer: {
    title: 'Anything to add?',
    lead: (requester: string) =>
      `You can say something about this in your own words. ${requester} reads it with the result.`,
    label: 'Your words (optional)',
    hint: (max: number) => `At most ${max} characters. Never write a password or a code here.`,
    problem: 'Your words have to be changed first',
    tooLong: (max: number) => `They may have at most ${max} characters.`,
  },
  onward: {
    title: (label: string) => `Taking you to ${label}`,
    signIn: (label: string) =>
      `You will sign in at ${label}, even if you are signed in already, and then come back here.`,
    document: (label: string) =>
      `You will show your document and your face to ${label} and then come back here.`,
    go: (host: string) => `Continue at ${host}`,
    awayTitle: (label: string) => `Go on at ${label}`,
    away: (label: string) =>
      `${label} opens in a tab of its own. You will show your document and your face there.`,
    awayGo: (label: string) => `Open ${label}`,
    awayBack: 'Keep this page open, and come back to it when you are done there.',
    awayDone: 'I am done',
  },
  sandbox: {
    title: 'What should the person do?',
    lead: 'This is test mode without an identity provider: you decide how this challenge ends.',
    approve: 'Approve',
    decline: 'Decline',
    report: 'Report incident: this wasn’t me',
  },
  retry: {
    title: 'That did not work',
    notYet: 'Not finished yet',
    nothing: 'Nothing has been checked so far. Go on when you are ready.',
    left: (count: number, all: number) => `You can try again: ${count} of ${all} attempts left.`,
    free: 'You can try again.',
    again: (label: string) => `Try again with ${label}`,
  },
  why: {
    said_no:
      'The sign-in was declined, and this request has ended with it. To try once more, ask for a new link.',
    idp_error: 'The sign-in service reported an error. It is not held against you.',
    idp_away: 'The service that checks who you are does not answer just now. It is not held against you.',
    late: 'The sign-in took too long. It is not held against you.',
    stale: 'An earlier sign-in was used. This time enter your password or use your passkey again.',
    weak: 'The sign-in was not strong enough. Use the stronger way that your organization has given you, such as a security key.',
    unnamed: 'The sign-in service did not say for certain who you are. Your help desk can change that.',
    mismatch: (target: string) =>
      `You signed in with another account than the one that was asked for: ${target}. Choose that account, or sign out of the other one first.`,
    wrong: 'The answer of the sign-in service could not be accepted.',
  },
  result: {
    verified: 'Identity verified',
    verifiedText: (requester: string) => `Thank you. ${requester} can see it now.`,
    close: 'You can close this page.',
    reported: 'Incident reported',
    reportedText: (requester: string) => `Thank you. ${requester} can see now that this was not you.`,
    disputedText: (requester: string) =>
      `Thank you. ${requester} can see now that this was not you. The verification no longer counts.`,
    alarm: 'If somebody is on the phone about this, hang up and call your help desk yourself.',
    expired: 'This request has expired',
    expiredText: 'The time for it is over. If you still need it, ask for a new link.',
    canceled: 'This request was canceled',
    canceledText: (requester: string) => `${requester} no longer needs it.`,
    failed: 'Identity not verified',
    failedText: (requester: string) =>
      `${requester} can see it now. If you think this is wrong, contact your help desk.`,
    returnTo: (host: string) => `Return to ${host}`,
    leaving: (seconds: number) => `You are taken there by itself in ${seconds} seconds.`,
    stay: 'Stay on this page',
    wasItYou: 'Was this not you?',
    mayReport: (hours: number) => `You can say so within ${hours} hours of the verification.`,
  },
  confirmed: {
    title: 'This was confirmed already',
    signedIn: (time: string, target: string) =>
      `On ${time} somebody confirmed it in another browser, by signing in as ${target}.`,
    proved: (time: string, target: string) =>
      `On ${time} somebody confirmed it in another browser, by proving to be ${target}.`,
  },
  waiting: {
    title: 'Waiting for the result',
    text: (requester: string) =>
      `This can take a while. ${requester} will see the result as well, so you may leave.`,
    over: 'There is news. This page shows it now.',
    again: 'Check again',
    notDone: 'Not done yet?',
    goOn: (label: string) => `Go on at ${label}`,
  },
  requestId: 'If you ask for help, give this number:',
  stops: {
    not_a_link: {
      title: 'This link does not work',
      text: 'It is incomplete or wrong. Open it again from the message you got, or ask for a new one.',
    },
    other_browser: {
      title: 'This was started in another browser',
      text: 'Go on there, or open the link from your message again in this browser. If you started nothing, somebody may want you to sign in for them: tell your help desk.',
    },
    no_cookies: {
      title: 'Your browser does not remember you here',
      text: 'It keeps no cookies inside this page. Open your link in a tab of its own and go on there.',
    },
    not_framable: {
      title: 'This page cannot be shown here',
      text: 'It may not be shown inside another site. Open your link in a tab of its own. If this is your site: it must be on the list of allowed domains, and must say which site it is (Referrer-Policy).',
    },
    foreign_site: {
      title: 'This does not work here',
      text: 'The form was sent from another site. Open the link from your message and go on from there.',
    },
    no_click: {
      title: 'Please press the button yourself',
      text: 'The form came without it. Nothing has happened. Go back and press the button.',
    },
    not_set_up: {
      title: 'No way to sign in is set up',
      text: 'Your organization has to set one up first. Tell your help desk; this is not your mistake.',
    },
    idp_away: {
      title: 'Please try again in a moment',
      text: 'The service that checks who you are does not answer. Nothing was decided, and it is not held against you.',
    },
    too_many: {
      title: 'Too many tries in a short time',
      text: 'Nothing was decided. Please wait a few minutes and try again.',
    },
    sign_in_unknown: {
      title: 'This sign-in is not known here',
      text: 'It was used already, or took too long. Open the link from your message again and start anew.',
    },
    sandbox_only: {
      title: 'There is no sandbox here',
      text: 'Only test challenges without a provider are decided by hand. Open the link from your message again.',
    },
    ended: {
      title: 'This request has ended',
      text: 'Nothing more can be done with this link. If you still need it, ask for a new one.',
    },
    refused: {
      title: 'This does not work here',
      text: 'Open the link from your message again and go on from there.',
    },
    unreadable: {
      title: 'This could not be read',
      text: 'What your browser sent was incomplete or too long. Nothing was decided. Go back and try again.',
    },
    away: {
      title: 'Please try again in a moment',
      text: 'Something that we need does not answer just now. Nothing was decided.',
    },
    broken: {
      title: 'Something went wrong',
      text: 'We could not do this just now. Nothing was decided; please try again.',
    },
  },
};

/** The shape of the catalogue: every language has all of it. */
export type Texts = typeof en;
