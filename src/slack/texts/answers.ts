import { DISPUTE_WINDOW_HOURS } from '../../challenges/challenge.ts';
import { de as german } from './de.ts';

const TELL = 'If it was not you, tell your IT or security team.';
const SAGEN = 'Wenn Sie das nicht waren, sagen Sie es Ihrer IT oder Ihrem Sicherheitsteam.';

const en = {
  notYours: 'This request is not for you, so nothing was changed.',
  unknown: `This request is no longer kept, so nothing was changed. ${TELL}`,
  reported: 'You have already reported that it was not you. There is nothing more to do here.',
  expired: `This request has expired, so nothing was changed. ${TELL}`,
  ended: `This request has ended already, so nothing was changed. ${TELL}`,
  confirmed: 'This was confirmed already. If it was not you, press the button that reports it.',
  tooLate: `This was confirmed more than ${DISPUTE_WINDOW_HOURS} hours ago and cannot be reported here any more. ${TELL}`,
};

const de: typeof en = {
  notYours: 'Diese Anfrage richtet sich nicht an Sie; es wurde nichts geändert.',
  unknown: `Diese Anfrage ist nicht mehr gespeichert; es wurde nichts geändert. ${SAGEN}`,
  reported: 'Sie haben schon gemeldet, dass Sie es nicht waren. Mehr ist hier nicht zu tun.',
  expired: `Diese Anfrage ist abgelaufen; es wurde nichts geändert. ${SAGEN}`,
  ended: `Diese Anfrage ist schon beendet; es wurde nichts geändert. ${SAGEN}`,
  confirmed: `Dies wurde schon bestätigt. Wenn Sie es nicht waren, drücken Sie „${german.card.report}“.`,
  tooLate: `Dies wurde vor mehr als ${DISPUTE_WINDOW_HOURS} Stunden bestätigt und kann hier nicht mehr gemeldet werden. ${SAGEN}`,
};

/** What is said to whoever presses a button in vain, by the language of the card. */
export const ANSWERS = { en, de };
