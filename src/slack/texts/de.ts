import { DISPUTE_WINDOW_HOURS } from '../../challenges/challenge.ts';
import { de as pages } from '../../web/texts/de.ts';
import type { Texts } from './en.ts';

const { facts, report, result, start } = pages;
const verify = 'Bestätigen, das war ich';

/** All words of the messages in Slack, in German. */
export const de = {
  automatic: (app: string) => `Eine automatische Prüfung von ${app}`,
  whoever: pages.somebody,
  testMode: pages.testMode,
  reference: pages.reference,
  of: (tenant: string) => `${tenant}: Identitätsprüfung`,
  code: start.code,
  erased: 'Alle Angaben zu dieser Anfrage wurden gelöscht.',
  facts: {
    context: facts.context,
    ticket: facts.ticket,
    deadline: facts.deadline,
    ended: facts.ended,
    verified: 'Bestätigt',
    reported: 'Gemeldet',
    requester: 'Im Auftrag von',
    asker: 'Anfrage von',
    method: 'Nachweis',
    relyUntil: 'Das Ergebnis gilt bis',
    response: 'Zusätzliche Angaben',
    comment: 'Angaben zum Vorfall',
    device: 'Das verwendete Gerät',
  },
  device: {
    browser: 'Browser',
    os: 'Betriebssystem',
    screen: 'Bildschirm',
    timezone: 'Zeitzone',
    language: 'Sprache',
    ip: 'Netzwerkadresse',
  },
  methods: {
    oidc: 'Anmeldung beim Unternehmen (OpenID Connect)',
    saml: 'Anmeldung beim Unternehmen (SAML)',
    veriff: 'Ausweis und Gesicht (Veriff)',
    berbix: 'Ausweis und Gesicht (Berbix)',
    passbase: 'Ausweis und Gesicht (Passbase)',
    sandbox: 'Testumgebung: nichts wurde nachgewiesen',
  },
  why: {
    declined: 'Die Prüfung wurde abgelehnt.',
    late: 'Die Prüfung wurde beim Prüfdienst begonnen und dort nicht beendet.',
    abandoned: 'Die Prüfung wurde beim Prüfdienst abgebrochen.',
    said_no: 'Die Anmeldung wurde auf der Seite des Unternehmens abgelehnt.',
    mismatch: 'Jemand hat sich mit einem anderen Konto angemeldet als dem, nach dem gefragt wurde.',
    stale: 'Es wurde eine frühere Anmeldung verwendet und keine, die hierfür gemacht wurde.',
    weak: 'Die Anmeldung war nicht stark genug.',
    unnamed: 'Der Anmeldedienst konnte nicht sicher bestätigen, wer sich angemeldet hat.',
    wrong: 'Die Antwort des Anmeldedienstes konnte nicht angenommen werden.',
  },
  card: {
    title: start.title,
    asks: (asker) => `${asker} bittet um einen Nachweis, dass Sie es wirklich sind.`,
    lead: (asker) =>
      `${asker} bittet um einen Nachweis, dass Sie es wirklich sind. Fahren Sie nur fort, wenn Sie wissen, warum.`,
    codeOf: (requester) =>
      `${requester} sieht dieselben zwei Ziffern. Wer mit Ihnen darüber spricht, muss Ihnen die Ziffern zuerst nennen; sagen Sie sie nie selbst. Kennt die Person sie nicht, melden Sie den Vorfall.`,
    codeAlone:
      'Die Seite, die sich öffnet, zeigt dieselben zwei Ziffern. Wer mit Ihnen darüber spricht, muss Ihnen die Ziffern zuerst nennen; sagen Sie sie nie selbst. Kennt die Person sie nicht, melden Sie den Vorfall.',
    next: {
      signIn: `„${verify}“ öffnet eine Seite in Ihrem Browser, und von dort melden Sie sich auf der eigenen Seite Ihres Unternehmens an. In Slack fragt niemand nach Ihrem Passwort.`,
      document: `„${verify}“ öffnet eine Seite in Ihrem Browser, und von dort zeigen Sie Ihr Ausweisdokument und Ihr Gesicht. In Slack fragt niemand nach Ihrem Passwort.`,
      other: `„${verify}“ öffnet eine Seite in Ihrem Browser, und dort bestätigen Sie, dass Sie es sind. In Slack fragt niemand nach Ihrem Passwort.`,
    },
    context: 'Zusätzliche Angaben',
    contextHint:
      'Die anfragende Stelle liest sie zusammen mit dem Ergebnis. Schreiben Sie hier nie ein Passwort oder einen Code hinein.',
    verify,
    report: 'Vorfall melden, das war ich nicht',
    mayReport: `${result.wasItYou} ${result.mayReport(DISPUTE_WINDOW_HOURS)}`,
    confirm: {
      title: report.title,
      open: report.open(pages.somebody),
      verified: report.verified(pages.somebody),
      go: report.go,
      back: report.back,
    },
    ends: {
      verified: { title: result.verified, text: result.verifiedText },
      failed: { title: result.failed, text: result.failedText },
      undeliverable: { title: result.failed, text: result.failedText },
      expired: {
        title: result.expired,
        text: () => 'Die Zeit dafür ist vorbei. Wird es noch gebraucht, bitten Sie noch einmal darum.',
      },
      canceled: { title: result.canceled, text: result.canceledText },
      incident: {
        title: result.reported,
        text: (requester) => `${result.reportedText(requester)} ${result.alarm}`,
      },
      disputed: {
        title: result.reported,
        text: (requester) => `${result.disputedText(requester)} ${result.alarm}`,
      },
    },
  },
  notice: {
    played: {
      title: 'In der Testumgebung bestätigt',
      text: (target) =>
        `Dies ist ein Test: Es wurde nichts nachgewiesen, und ${target} muss nicht einmal da gewesen sein.`,
    },
    codeHint:
      'Wenn Sie mit der Person sprechen, nennen Sie ihr diese zwei Ziffern: Sie sieht dieselben und weiß so, dass die Anfrage von Ihnen kommt. Fragen Sie sie nicht nach den Ziffern.',
    states: {
      waiting: {
        title: 'Die Antwort steht noch aus',
        text: (target) => `${target} wurde um einen Identitätsnachweis gebeten.`,
      },
      started: {
        title: 'Die Prüfung hat begonnen',
        text: (target) => `Der Link für ${target} wurde geöffnet; noch ist nichts nachgewiesen.`,
      },
      verified: {
        title: result.verified,
        text: (target) => `${target} hat die eigene Identität nachgewiesen.`,
      },
      failed: {
        title: result.failed,
        text: (target) =>
          `${target} hat die eigene Identität nicht nachgewiesen. Tun Sie nichts, was davon abhängt; im Zweifel sagen Sie es Ihrem Sicherheitsteam.`,
      },
      expired: {
        title: result.expired,
        text: (target) =>
          `${target} hat die eigene Identität nicht rechtzeitig nachgewiesen. Tun Sie nichts, was davon abhängt; wenn Sie es noch brauchen, fragen Sie noch einmal.`,
      },
      unasked: {
        title: result.expired,
        text: (target) =>
          `Slack war nicht rechtzeitig zu erreichen, ${target} wurde also nie gefragt: Dass nichts nachgewiesen wurde, sagt nichts über die Person. Fragen Sie noch einmal, oder wählen Sie einen anderen Weg.`,
      },
      canceled: {
        title: result.canceled,
        text: (target) => `Es wurde nichts nachgewiesen, und ${target} wird nicht mehr gefragt.`,
      },
      undeliverable: {
        title: 'Diese Anfrage war nicht zustellbar',
        text: (target) =>
          `Slack hat die Nachricht an ${target} nicht angenommen. Die Person wurde also nicht gefragt, und die Anfrage ist gescheitert. Der Link gilt nicht mehr: Fragen Sie noch einmal, oder wählen Sie einen anderen Weg.`,
      },
      incident: {
        title: 'Vorfall gemeldet: Die Person war es nicht',
        text: (target) =>
          `${target} meldet: Das war ich nicht. Tun Sie nichts, worum in diesem Namen gebeten wurde, und sagen Sie es sofort Ihrem Sicherheitsteam.`,
      },
      disputed: {
        title: 'Vorfall gemeldet: Die Bestätigung gilt nicht mehr',
        text: (target) =>
          `Dies wurde bestätigt, und danach hat ${target} gemeldet: Das war ich nicht. Machen Sie rückgängig, was deshalb geschehen ist, und sagen Sie es sofort Ihrem Sicherheitsteam.`,
      },
    },
  },
} satisfies Texts;
