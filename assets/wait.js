// Asks for the page again and again, and shows it once it is another; without it there is a button.
(({ say }) => {
  const shown = document.querySelector('h1').textContent;
  const ask = async () => {
    const answer = await fetch(location.pathname);
    if (answer.status >= 429) return false; // too often, or not now
    const page = new DOMParser().parseFromString(await answer.text(), 'text/html');
    const title = page.querySelector('h1');
    return title !== null && title.textContent !== shown;
  };
  const wait = () =>
    setTimeout(async () => {
      if (document.hidden || !(await ask().catch(() => false))) return wait();
      document.querySelector('[role=status]').textContent = say;
      setTimeout(() => location.reload(), 1000); // time to be read aloud
    }, 3000);
  wait();
})(document.currentScript.dataset);
