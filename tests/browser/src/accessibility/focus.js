// Evaluates to the name of the focused element, with a remark if the focus is not visible.
(() => {
  const element = document.activeElement;
  if (!element || element === document.body) return 'nothing';
  const name = element.id || element.value || (element.hash || '') || element.innerText.trim();
  const style = getComputedStyle(element);
  const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2
    && style.outlineColor !== 'rgba(0, 0, 0, 0)';
  const box = element.getBoundingClientRect();
  const inside = box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight;
  return `${name}${ring ? '' : ' without a ring'}${inside ? '' : ' out of sight'}`;
})()
