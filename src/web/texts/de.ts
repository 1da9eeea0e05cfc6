import type { Texts } from './en.ts';

/** All words that people read on our pages, in German. */
export const de = {
  name: 'Deutsch',
  languages: 'Sprache',
  purpose: 'Identitätsprüfung',
  madeBy: 'Identitätsprüfung mit Countersign',
  testMode: 'Testbetrieb',
  reference: 'Kennung',
  anySystem: 'Ein automatisches System Ihrer Organisation',
  sandboxName: 'der Testumgebung',
  somebody: 'Die anfragende Stelle',
  support: {
    ask: (organization: string | null) =>
      organization ? `Fragen? ${organization} hilft Ihnen:` : 'Fragen? Hier wird Ihnen geholfen:',
    none: 'Fragen? Wenden Sie sich an Ihren Helpdesk.',
    email: (address: string) => `E-Mail an ${address}`,
    phone: (number: string) => `Anrufen: ${number}`,
    channel: (name: string) => `Slack-Kanal: ${name}`,
    openChannel: 'Slack-Kanal öffnen',
    portal: 'Support-Portal öffnen',
  },
  facts: {
    context: 'Warum',
    ticket: 'Vorgang',
    target: 'Gefragt ist',
    deadline: 'Gültig bis',
    left: (left: string, deadline: string) => `noch ${left} (${deadline} UTC)`,
    ended: 'Beendet',
    at: (time: string) => `${time} UTC`,
  },
  report: {
    link: 'Das war ich nicht: melden',
    title: 'Melden, dass Sie das nicht waren?',
    open: (requester: string) =>
      `Die Anfrage endet sofort, und niemand kann sie fortsetzen. ${requester} kann dann sehen, dass Sie es nicht waren.`,
    verified: (requester: string) =>
      `Die Bestätigung gilt dann nicht mehr. ${requester} kann sehen, dass Sie es nicht waren.`,
    comment: 'Was ist geschehen? (freiwillig)',
    commentHint: (max: number) =>
      `In einer Zeile; was länger als ${max} Zeichen ist, wird gekürzt. Schreiben Sie hier nie ein Passwort hinein.`,
    go: 'Ja, melden',
    back: 'Nein, zurück',
  },
  start: {
    title: 'Bestätigen Sie, dass Sie es sind',
    lead: (requester: string) =>
      `${requester} bittet um einen Nachweis, dass Sie es wirklich sind. Fahren Sie nur fort, wenn Sie wissen, warum.`,
    code: 'Prüfzahl',
    codeHint: 'Wer Sie fragt, sieht dieselben Ziffern. Wenn nicht, brechen Sie ab.',
    before: 'Jemand hat schon begonnen',
    beforeText:
      'Jemand hat bereits auf „Weiter“ gedrückt, in diesem Browser oder auf einem anderen Gerät. Waren Sie das, können Sie hier neu beginnen; was dort offen ist, zählt dann nicht mehr. Waren Sie es nicht, melden Sie es.',
    next: 'Weiter',
    after: (label: string) => `Danach weisen Sie mit ${label} nach, wer Sie sind.`,
    go: (label: string) => `Weiter mit ${label}`,
    harmless:
      'Durch das Öffnen dieser Seite ist nichts geschehen. Erst wenn Sie fortfahren, geschieht etwas.',
    told: 'Mit dem Ergebnis sieht die anfragende Stelle einiges über Ihr Gerät: Browser, Betriebssystem, Bildschirm, Zeitzone, Sprache und Netzwerkadresse.',
    ownTabAsk: 'Geht es hier nicht weiter?',
    ownTab: 'In einem eigenen Tab öffnen',
    ownTabOnly:
      'Innerhalb einer anderen Website können Sie sich nicht anmelden: Nur in einem eigenen Tab sehen Sie, wo Sie Ihr Passwort eingeben.',
  },
  answer: {
    title: 'Möchten Sie etwas hinzufügen?',
    lead: (requester: string) =>
      `Sie können in eigenen Worten etwas dazu sagen. ${requester} liest es zusammen mit dem Ergebnis.`,
    label: 'Ihre Nachricht (freiwillig)',
    hint: (max: number) =>
      `Höchstens ${max} Zeichen. Schreiben Sie hier nie ein Passwort oder einen Code hinein.`,
    problem: 'Bitte ändern Sie zuerst Ihre Nachricht',
    tooLong: (max: number) => `Sie darf höchstens ${max} Zeichen haben.`,
  },
  onward: {
    title: (label: string) => `Sie werden zu ${label} weitergeleitet`,
    signIn: (label: string) =>
      `Sie melden sich bei ${label} an, auch wenn Sie dort schon angemeldet sind, und kommen dann hierher zurück.`,
    document: (label: string) =>
      `Sie zeigen ${label} Ihr Ausweisdokument und Ihr Gesicht und kommen dann hierher zurück.`,
    go: (host: string) => `Weiter bei ${host}`,
    awayTitle: (label: string) => `Weiter bei ${label}`,
    away: (label: string) =>
      `${label} öffnet sich in einem eigenen Tab. Dort zeigen Sie Ihr Ausweisdokument und Ihr Gesicht.`,
    awayGo: (label: string) => `${label} öffnen`,
    awayBack: 'Lassen Sie diese Seite offen, und kommen Sie hierher zurück, wenn Sie dort fertig sind.',
    awayDone: 'Ich bin fertig',
  },
  sandbox: {
    title: 'Was soll die Person tun?',
    lead: 'Dies ist der Testbetrieb ohne Anmeldedienst: Sie entscheiden, wie diese Anfrage ausgeht.',
    approve: 'Bestätigen',
    decline: 'Ablehnen',
    report: 'Vorfall melden: Das war ich nicht',
  },
  retry: {
    title: 'Das hat nicht geklappt',
    notYet: 'Noch nicht fertig',
    nothing: 'Bisher wurde nichts geprüft. Fahren Sie fort, wenn Sie bereit sind.',
    left: (count: number, all: number) =>
      `Sie können es erneut versuchen: noch ${count} von ${all} Versuchen.`,
    free: 'Sie können es erneut versuchen.',
    again: (label: string) => `Erneut versuchen mit ${label}`,
  },
  why: {
    said_no:
      'Die Anmeldung wurde abgelehnt, und damit ist diese Anfrage beendet. Für einen neuen Versuch bitten Sie um einen neuen Link.',
    idp_error: 'Der Anmeldedienst hat einen Fehler gemeldet. Das wird Ihnen nicht angerechnet.',
    idp_away:
      'Der Dienst, der prüft, wer Sie sind, antwortet gerade nicht. Das wird Ihnen nicht angerechnet.',
    late: 'Die Anmeldung hat zu lange gedauert. Das wird Ihnen nicht angerechnet.',
    stale:
      'Es wurde eine frühere Anmeldung verwendet. Geben Sie diesmal Ihr Passwort neu ein, oder verwenden Sie Ihren Passkey noch einmal.',
    weak: 'Die Anmeldung war nicht stark genug. Verwenden Sie den stärkeren Weg, den Ihre Organisation vorsieht, etwa einen Sicherheitsschlüssel.',
    unnamed: 'Der Anmeldedienst konnte nicht sicher bestätigen, wer Sie sind. Ihr Helpdesk kann das ändern.',
    mismatch: (target: string) =>
      `Sie haben sich mit einem anderen Konto angemeldet als dem, nach dem gefragt wurde: ${target}. Wählen Sie dieses Konto, oder melden Sie sich zuerst vom anderen ab.`,
    wrong: 'Die Antwort des Anmeldedienstes konnte nicht angenommen werden.',
  },
  result: {
    verified: 'Identität bestätigt',
    verifiedText: (requester: string) => `Vielen Dank. ${requester} kann es jetzt sehen.`,
    close: 'Sie können diese Seite schließen.',
    reported: 'Vorfall gemeldet',
    reportedText: (requester: string) =>
      `Vielen Dank. ${requester} kann jetzt sehen, dass Sie es nicht waren.`,
    disputedText: (requester: string) =>
      `Vielen Dank. ${requester} kann jetzt sehen, dass Sie es nicht waren. Die Bestätigung gilt nicht mehr.`,
    alarm:
      'Spricht gerade jemand am Telefon mit Ihnen darüber, legen Sie auf und rufen Sie selbst Ihren Helpdesk an.',
    expired: 'Diese Anfrage ist abgelaufen',
    expiredText: 'Die Zeit dafür ist vorbei. Wird es noch gebraucht, bitten Sie um einen neuen Link.',
    canceled: 'Diese Anfrage wurde zurückgezogen',
    canceledText: (requester: string) => `${requester} braucht sie nicht mehr.`,
    failed: 'Identität nicht bestätigt',
    failedText: (requester: string) =>
      `${requester} kann es jetzt sehen. Wenn Sie das für falsch halten, wenden Sie sich an Ihren Helpdesk.`,
    returnTo: (host: string) => `Zurück zu ${host}`,
    leaving: (seconds: number) => `In ${seconds} Sekunden werden Sie von selbst dorthin geleitet.`,
    stay: 'Auf dieser Seite bleiben',
    wasItYou: 'Waren Sie das nicht?',
    mayReport: (hours: number) => `Sie können es bis zu ${hours} Stunden nach der Bestätigung melden.`,
  },
  confirmed: {
    title: 'Dies wurde schon bestätigt',
    signedIn: (time: string, target: string) =>
      `Am ${time} hat es jemand in einem anderen Browser bestätigt, durch Anmeldung als ${target}.`,
    proved: (time: string, target: string) =>
      `Am ${time} hat es jemand in einem anderen Browser bestätigt, durch den Nachweis, ${target} zu sein.`,
  },
  waiting: {
    title: 'Das Ergebnis steht noch aus',
    text: (requester: string) =>
      `Das kann eine Weile dauern. ${requester} sieht das Ergebnis ebenfalls; Sie müssen nicht warten.`,
    over: 'Es gibt etwas Neues. Diese Seite zeigt es jetzt.',
    again: 'Noch einmal nachsehen',
    notDone: 'Noch nicht fertig?',
    goOn: (label: string) => `Weiter bei ${label}`,
  },
  requestId: 'Wenn Sie um Hilfe bitten, nennen Sie diese Nummer:',
  stops: {
    not_a_link: {
      title: 'Dieser Link funktioniert nicht',
      text: 'Er ist unvollständig oder falsch. Öffnen Sie ihn noch einmal aus Ihrer Nachricht, oder bitten Sie um einen neuen.',
    },
    other_browser: {
      title: 'Dies wurde in einem anderen Browser begonnen',
      text: 'Fahren Sie dort fort, oder öffnen Sie den Link aus Ihrer Nachricht noch einmal in diesem Browser. Wenn Sie nichts begonnen haben, will vielleicht jemand, dass Sie sich für ihn anmelden: Sagen Sie es Ihrem Helpdesk.',
    },
    no_cookies: {
      title: 'Ihr Browser erkennt Sie hier nicht wieder',
      text: 'Er behält innerhalb dieser Seite keine Cookies. Öffnen Sie Ihren Link in einem eigenen Tab und fahren Sie dort fort.',
    },
    not_framable: {
      title: 'Diese Seite kann hier nicht gezeigt werden',
      text: 'Sie darf nicht innerhalb einer anderen Website gezeigt werden. Öffnen Sie Ihren Link in einem eigenen Tab. Falls dies Ihre Website ist: Sie muss auf der Liste der erlaubten Domains stehen und sagen, welche Website sie ist (Referrer-Policy).',
    },
    foreign_site: {
      title: 'Das geht hier nicht',
      text: 'Das Formular kam von einer anderen Website. Öffnen Sie den Link aus Ihrer Nachricht und fahren Sie von dort fort.',
    },
    no_click: {
      title: 'Bitte drücken Sie selbst auf die Schaltfläche',
      text: 'Das Formular kam ohne sie. Es ist nichts geschehen. Gehen Sie zurück und drücken Sie darauf.',
    },
    not_set_up: {
      title: 'Es ist kein Anmeldeweg eingerichtet',
      text: 'Ihre Organisation muss zuerst einen einrichten. Sagen Sie Ihrem Helpdesk Bescheid; es ist nicht Ihr Fehler.',
    },
    idp_away: {
      title: 'Bitte versuchen Sie es gleich noch einmal',
      text: 'Der Dienst, der prüft, wer Sie sind, antwortet nicht. Es wurde nichts entschieden, und es wird Ihnen nicht angerechnet.',
    },
    too_many: {
      title: 'Zu viele Versuche in kurzer Zeit',
      text: 'Es wurde nichts entschieden. Bitte warten Sie einige Minuten und versuchen Sie es noch einmal.',
    },
    sign_in_unknown: {
      title: 'Diese Anmeldung ist hier nicht bekannt',
      text: 'Sie wurde schon verwendet oder hat zu lange gedauert. Öffnen Sie den Link aus Ihrer Nachricht noch einmal und beginnen Sie neu.',
    },
    sandbox_only: {
      title: 'Hier gibt es keine Testumgebung',
      text: 'Nur Testanfragen ohne Anbieter werden von Hand entschieden. Öffnen Sie den Link aus Ihrer Nachricht noch einmal.',
    },
    ended: {
      title: 'Diese Anfrage ist beendet',
      text: 'Mit diesem Link lässt sich nichts mehr tun. Wenn Sie sie noch brauchen, bitten Sie um einen neuen.',
    },
    refused: {
      title: 'Das geht hier nicht',
      text: 'Öffnen Sie den Link aus Ihrer Nachricht noch einmal und fahren Sie von dort fort.',
    },
    unreadable: {
      title: 'Das war nicht lesbar',
      text: 'Was Ihr Browser gesendet hat, war unvollständig oder zu lang. Es wurde nichts entschieden. Gehen Sie zurück und versuchen Sie es noch einmal.',
    },
    away: {
      title: 'Bitte versuchen Sie es gleich noch einmal',
      text: 'Etwas, das wir brauchen, antwortet gerade nicht. Es wurde nichts entschieden.',
    },
    broken: {
      title: 'Etwas ist schiefgegangen',
      text: 'Das ging gerade nicht. Es wurde nichts entschieden; bitte versuchen Sie es noch einmal.',
    },
  },
} satisfies Texts;
