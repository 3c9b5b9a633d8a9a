/** Where anybody gets an address: nobody's own, whoever can write into their records. */
const PUBLIC: ReadonlySet<string> = new Set(
  `126.com 163.com aim.com aol.com att.net bellsouth.net bigpond.com bluewin.ch btinternet.com charter.net comcast.net cox.net
daum.net duck.com earthlink.net email.com fastmail.com fastmail.fm free.fr freenet.de gmail.com gmx.at gmx.ch gmx.com gmx.de gmx.net
googlemail.com hanmail.net hey.com hotmail.co.uk hotmail.com hotmail.de hotmail.es hotmail.fr hotmail.it hushmail.com icloud.com
inbox.com inbox.ru interia.pl juno.com laposte.net libero.it list.ru live.co.uk live.com live.fr live.nl mac.com mail.com mail.de
mail.ru mailbox.org me.com msn.com naver.com netzero.net o2.pl onet.pl optonline.net orange.fr outlook.com outlook.de outlook.es outlook.fr outlook.it
passport.com pm.me posteo.de posteo.net privaterelay.appleid.com proton.me protonmail.ch protonmail.com qq.com rambler.ru rediffmail.com
riseup.net rocketmail.com rogers.com sbcglobal.net seznam.cz sfr.fr shaw.ca sina.com skynet.be sohu.com sympatico.ca t-online.de tuta.com tuta.io
tutanota.com tutanota.de ukr.net verizon.net virgilio.it virginmedia.com wanadoo.fr web.de wp.pl ya.ru yahoo.ca yahoo.co.id yahoo.co.in yahoo.co.jp
yahoo.co.uk yahoo.com yahoo.com.ar yahoo.com.au yahoo.com.br yahoo.com.mx yahoo.de yahoo.es yahoo.fr yahoo.in yahoo.it yandex.com yandex.ru
yeah.net ymail.com zoho.com zohomail.com`.split(/\s+/),
);

/** `domain` in lower case. */
export function isPublicMailDomain(domain: string): boolean {
  return PUBLIC.has(domain);
}
