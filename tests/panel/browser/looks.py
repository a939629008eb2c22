"""What a machine can see of a page: names, landmarks, contrast, and whether it fits."""

from typing import Any

from playwright.sync_api import Page

COMPLAIN = r"""
() => {
  const complaints = [];
  const say = (element, what) => complaints.push(what + ': ' + element.outerHTML.slice(0, 160));
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const textOf = (id) => document.getElementById(id)?.textContent || '';
  const name = (element) =>
    (element.getAttribute('aria-label') || '') +
    (element.getAttribute('aria-labelledby') || '').split(' ').map(textOf).join('') +
    [...(element.labels || [])].map((label) => label.textContent).join('') +
    (element.matches('input, select, textarea') ? '' : element.textContent) + (element.title || '');

  if (!document.documentElement.lang) complaints.push('no language');
  if (!document.title.trim()) complaints.push('no title');
  if (document.querySelectorAll('h1').length !== 1) complaints.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) complaints.push('not one main');
  const controls = 'a[href], button, input:not([type=hidden]), select, textarea, summary';
  for (const control of document.querySelectorAll(controls))
    if (shown(control) && !name(control).trim()) say(control, 'no name');
  for (const part of document.querySelectorAll('nav, [role=group], table, svg[role=img], dialog'))
    if (!name(part).trim()) say(part, 'no name');
  for (const picture of document.querySelectorAll('svg:not([aria-hidden]):not([role=img]), img:not([alt])'))
    say(picture, 'neither hidden nor named');
  const seen = new Set();
  for (const element of document.querySelectorAll('[id]')) {
    if (seen.has(element.id)) say(element, 'id twice');
    seen.add(element.id);
  }
  let level = 1;
  for (const heading of document.querySelectorAll('main h1, main h2, main h3, main h4')) {
    const now = Number(heading.nodeName[1]);
    if (now > level + 1) say(heading, 'heading skips a level');
    level = now;
  }

  const board = Object.assign(document.createElement('canvas'), { width: 1, height: 1 });
  const canvas = board.getContext('2d', { willReadFrequently: true });
  const colour = (text) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, bottom) => [0, 1, 2].map((i) => top[i] * top[3] + bottom[i] * (1 - top[3])).concat(1);
  const backdrop = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(colour(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((bottom, top) => over(top, bottom), [255, 255, 255, 1]);
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((v) => ((v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const checked = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || checked.has(element) || !shown(element)) continue;
    if (element.closest('.sr, .skip, dialog, :disabled, title')) continue;
    checked.add(element);
    const style = getComputedStyle(element);
    const behind = backdrop(element);
    const ink = over(colour(element.closest('svg') ? style.fill : style.color), behind);
    const [a, b] = [light(ink), light(behind)].sort((x, y) => y - x);
    const size = parseFloat(style.fontSize);
    const wanted = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700) ? 3 : 4.5;
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < wanted - 0.01) say(element, 'contrast ' + ratio.toFixed(2));
  }
  return complaints;
}
"""

OVERFLOW = r"""
() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  return [...document.body.querySelectorAll('*')]
    .filter((element) => element.getBoundingClientRect().right > width + 1)
    .map((element) => element.outerHTML.slice(0, 120)).slice(0, 5);
}
"""

# Controls whose focus ring is missing, or cut off above or below by something around them that clips.
UNSEEN = r"""
() => {
  const complaints = [];
  const say = (element, what) => complaints.push(what + ': ' + element.outerHTML.slice(0, 120));
  const shown = (element) => element.checkVisibility({ opacityProperty: true, visibilityProperty: true });
  const controls = 'a[href], button:enabled, input:not([type=hidden]), select, textarea, summary, [tabindex="0"]';
  for (const control of document.querySelectorAll(controls)) {
    if (!shown(control) || control.closest('dialog, svg')) continue;
    control.focus({ focusVisible: true });
    const style = getComputedStyle(control);
    const width = parseFloat(style.outlineWidth);
    if (document.activeElement !== control) say(control, 'takes no focus');
    else if (style.outlineStyle === 'none' || width < 2) say(control, 'no ring');
    const reach = width + parseFloat(style.outlineOffset) - 0.5;
    const ring = control.getBoundingClientRect();
    for (let around = control.parentElement; around !== document.body; around = around.parentElement) {
      const frame = around.getBoundingClientRect();
      if (getComputedStyle(around).overflowY === 'visible') continue;
      if (ring.top - reach < frame.top || ring.bottom + reach > frame.bottom) say(control, 'its ring is cut');
    }
  }
  return complaints;
}
"""


def complaints_about(page: Page) -> Any:
    """What is wrong with a page for somebody who cannot see it well, or at all."""
    return page.evaluate(COMPLAIN)


def unseen_focus_of(page: Page) -> Any:
    """Which controls somebody who uses the keyboard could not see the focus of."""
    return page.evaluate(UNSEEN)


def overflow_of(page: Page) -> Any:
    """What sticks out of the page to the right."""
    return page.evaluate(OVERFLOW)
