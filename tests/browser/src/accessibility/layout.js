// Evaluates to a list of layout problems; it is empty if there are none.
(() => {
  const wrong = [];
  const width = document.documentElement.clientWidth;
  const name = element => `${element.tagName.toLowerCase()} "${(element.innerText || element.id || '').slice(0, 40)}"`;
  if (document.documentElement.scrollWidth > innerWidth) {
    wrong.push(`it scrolls sideways: ${document.documentElement.scrollWidth} > ${innerWidth}`);
  }
  const seen = [...document.body.querySelectorAll('*')].filter(
    element => element.checkVisibility() && element.getClientRects().length > 0 && element.type !== 'hidden');
  for (const element of seen) {
    const box = element.getBoundingClientRect();
    if (box.left < -1 || box.right > width + 1) wrong.push(`${name(element)} leaves the page`);
    // A field may hold more text than it shows, except a code, which is compared digit by digit. All other elements show all
    // their text.
    if ((element.tagName !== 'INPUT' || element.autocomplete === 'one-time-code') && getComputedStyle(element).display !== 'inline'
        && (element.scrollWidth > element.clientWidth + 1 || element.scrollHeight > element.clientHeight + 1)) {
      wrong.push(`${name(element)} is cut: ${element.scrollWidth}x${element.scrollHeight}`
        + ` in ${element.clientWidth}x${element.clientHeight}`);
    }
  }
  const said = seen.filter(element => /^(A|P|H1|H2|LI|LABEL|INPUT|BUTTON|SUMMARY)$/.test(element.tagName));
  said.forEach((one, at) => said.slice(at + 1).forEach(two => {
    if (one.contains(two) || two.contains(one)) return;
    const [a, b] = [one.getBoundingClientRect(), two.getBoundingClientRect()];
    const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
    const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
    if (across > 1 && down > 1) wrong.push(`${name(one)} and ${name(two)} lie on each other`);
  }));
  return wrong;
})()
