// Tells the server once what browser this is; without it everything works as well.
(async ({ sendTo }) => {
  const { userAgentData: hints, maxTouchPoints, platform, language } = navigator;
  // Chromium alone; whoever may not ask gets an empty answer.
  const more = hints && (await hints.getHighEntropyValues(['platformVersion']).catch(() => ({})));
  // An iPad that asks for desktop pages calls itself a Mac, but no Mac can be touched.
  const tablet = platform === 'MacIntel' && maxTouchPoints > 1 ? 'iPadOS' : null;
  await fetch(sendTo, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    keepalive: true, // the person may press the button first
    body: JSON.stringify({
      screen: `${screen.width}x${screen.height}`,
      timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
      language,
      platform: hints ? hints.platform : tablet,
      platform_version: more && more.platformVersion,
    }),
  });
})(document.currentScript.dataset).catch(() => {});
