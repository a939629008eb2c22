// The panel's script. Every page is whole without it; it keeps what is on screen true, and adds the keyboard.
"use strict";

const words = (document.body.dataset.words || "").split("|");
const [LIVE, LOST, OUT, COPIED] = words;

// A form that was refused is answered under the address it was posted to: back to that of the page it stands on.
if (document.body.dataset.page) history.replaceState(null, "", document.body.dataset.page);

// ---------------------------------------------------------------------------------------------- old addresses

const OLD = { runs: "runs", tasks: "tasks", runners: "runners", directives: "directives", requests: "requests", setup: "setup" };

function followOldAddress() {
  const found = /^#\/([a-z]+)(?:\/([^/?#]+))?/.exec(location.hash);
  if (!found || !OLD[found[1]]) return;
  location.replace("/panel/" + OLD[found[1]] + (found[2] ? "/" + found[2] : ""));
}

// ------------------------------------------------------------------------------------------------------ times

const UNITS = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

function span(seconds) {
  seconds = Math.max(0, Math.round(Math.abs(seconds)));
  for (let place = 0; place < UNITS.length; place++) {
    const [size, unit] = UNITS[place];
    if (seconds < size) continue;
    const smaller = UNITS[place + 1];
    const rest = smaller ? Math.floor((seconds % size) / smaller[0]) : 0;
    return Math.floor(seconds / size) + " " + unit + (rest ? " " + rest + " " + smaller[1] : "");
  }
  return "0 s";
}

const pad = (number, width = 2) => String(number).padStart(width, "0");

function localTime(at) {
  const time = pad(at.getHours()) + ":" + pad(at.getMinutes()) + ":" + pad(at.getSeconds());
  const day = at.getFullYear() + "-" + pad(at.getMonth() + 1) + "-" + pad(at.getDate());
  return at.toDateString() === new Date().toDateString() ? time : day + " " + time;
}

function showTimes(root = document) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = new Date(element.dateTime);
    const text = "ago" in element.dataset ? span((Date.now() - at) / 1000) : localTime(at);
    if (element.textContent !== text) element.textContent = text;
  }
}

// -------------------------------------------------------------------------------------- keeping the page true

// Makes `old` like `fresh`, touching only what differs, so that focus, selection and open details stay.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || (old.id || "") !== (fresh.id || "")) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  if (old.isEqualNode(fresh)) return;
  for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !kept(old, name)) old.removeAttribute(name);
  if (/^(INPUT|TEXTAREA|SELECT)$/.test(old.nodeName)) return; // what was typed or ticked belongs to the visitor
  if (old.nodeName === "TIME") return showTimes(old.parentNode);
  morphChildren(old, fresh);
}

const kept = (element, name) => (element.nodeName === "DETAILS" && name === "open") || name === "aria-selected";

function morphChildren(old, fresh) {
  const byId = new Map();
  for (const child of old.children) if (child.id) byId.set(child.id, child);
  let place = old.firstChild;
  for (const child of [...fresh.childNodes]) {
    const known = child.id && byId.get(child.id);
    if (known) {
      if (known === place) place = place.nextSibling;
      else old.insertBefore(known, place);
      morph(known, child);
    } else if (place && !place.id && !child.id && place.nodeName === child.nodeName) {
      const next = place.nextSibling;
      morph(place, child);
      place = next;
    } else {
      old.insertBefore(child, place);
      if (child.id && child.nodeType === Node.ELEMENT_NODE && byId.size) child.classList.add("fresh");
    }
  }
  while (place) {
    const next = place.nextSibling;
    if (!place.dataset?.stays) place.remove();
    place = next;
  }
}

const stale = new Set(); // ids of regions that something happened to
let refreshing = false;
let refreshAgain = 0;
const REST = 350; // milliseconds between two looks, however much happens

function regions() {
  return [...document.querySelectorAll("[data-live][id]")];
}

function touch(kind, id) {
  for (const region of regions()) {
    const hit = region.dataset.live.split(" ").some((topic) => {
      const [about, which] = topic.split(/:(.*)/s);
      return about === kind && (which === undefined || decodeURIComponent(which) === id);
    });
    if (hit) stale.add(region.id);
  }
  if (stale.size) refreshSoon();
}

function refreshSoon() {
  if (refreshing || refreshAgain || document.hidden) return;
  refreshAgain = setTimeout(refresh, 15);
}

async function refresh() {
  refreshing = true;
  refreshAgain = 0;
  const wanted = [...stale];
  stale.clear();
  try {
    const answer = await fetch(location.pathname + location.search, { headers: { "X-Panel": "1" }, cache: "no-store" });
    if (answer.status === 401) return say("lost", OUT);
    if (answer.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of wanted) {
        const [old, next] = [document.getElementById(id), fresh.getElementById(id)];
        if (old && next) morph(old, document.importNode(next, true));
      }
      showTimes();
      tellTicked();
    }
  } catch {
    wanted.forEach((id) => stale.add(id)); // the stream will say when it is back
  } finally {
    setTimeout(() => {
      refreshing = false;
      if (stale.size) refreshSoon();
    }, REST);
  }
}

function say(state, text) {
  const place = document.querySelector("[data-live-state]");
  if (!place || place.dataset.liveState === state) return;
  place.dataset.liveState = state;
  place.querySelector("[data-live-text]").textContent = text;
}

function goLive() {
  if (!document.body.dataset.seq || !regions().length) return;
  const stream = new EventSource("/panel/live?after=" + document.body.dataset.seq);
  stream.onopen = () => say("on", LIVE);
  stream.onmessage = (message) => {
    const [kind, id] = JSON.parse(message.data);
    touch(kind, id);
  };
  stream.addEventListener("everything", () => {
    regions().forEach((region) => stale.add(region.id));
    refreshSoon();
  });
  stream.onerror = () => say("lost", stream.readyState === EventSource.CLOSED ? OUT : LOST);
  addEventListener("pagehide", () => stream.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
  document.addEventListener("visibilitychange", () => stale.size && refreshSoon());
}

// Some things change with the clock and without an event: who is online, how long something has been at it.
function keepAlong() {
  let seconds = 0;
  setInterval(() => {
    seconds += 1;
    if (document.hidden) return;
    if (seconds % 5 === 0 || seconds < 90) showTimes();
    for (const region of document.querySelectorAll("[data-live][data-every]"))
      if (seconds % Number(region.dataset.every) === 0) stale.add(region.id);
    if (stale.size) refreshSoon();
  }, 1000);
}

// ---------------------------------------------------------------------------------------- output as it arrives

async function followOutput() {
  const output = document.querySelector("[data-output]");
  if (!output) return;
  const box = document.querySelector("[data-follow]");
  const end = () => box && box.checked && (output.scrollTop = output.scrollHeight);
  end();
  output.addEventListener("scroll", () => {
    if (box && output.scrollTop + output.clientHeight < output.scrollHeight - 60) box.checked = false;
  });
  if (box) box.addEventListener("change", end);
  let { after, classes, torn } = output.dataset;
  torn = decodeURIComponent(torn);
  for (;;) {
    await new Promise((done) => setTimeout(done, document.hidden ? 3000 : 400));
    try {
      const place = new URLSearchParams({ after, classes, torn });
      const answer = await fetch(output.dataset.output + "?" + place, { headers: { "X-Panel": "1" } });
      if (!answer.ok) return;
      const html = await answer.text();
      if (html) {
        const parsed = new DOMParser().parseFromString("<pre>\n" + html + "</pre>", "text/html");
        output.append(...parsed.querySelector("pre").childNodes);
        while (output.childNodes.length > 20000) output.firstChild.remove();
        end();
      }
      after = answer.headers.get("X-After");
      classes = answer.headers.get("X-Classes");
      torn = decodeURIComponent(answer.headers.get("X-Torn"));
      if (answer.headers.get("X-Running") === "0") return;
    } catch {
      // the network is away; the next look may find it again
    }
  }
}

// ------------------------------------------------------------------------------------------------ many at once

function tellTicked() {
  const all = document.querySelector("[data-tick-all]");
  if (!all) return;
  const boxes = [...document.querySelectorAll('input[name="task"]')];
  const ticked = boxes.filter((box) => box.checked).length;
  all.checked = ticked > 0 && ticked === boxes.length;
  all.indeterminate = ticked > 0 && ticked < boxes.length;
  const text = document.querySelector("[data-ticked]");
  text.dataset.plain = text.dataset.plain || text.textContent;
  text.textContent = ticked ? ticked + " " + text.dataset.ticked : text.dataset.plain;
}

document.addEventListener("change", (event) => {
  if (event.target.matches("[data-tick-all]"))
    for (const box of document.querySelectorAll('input[name="task"]')) box.checked = event.target.checked;
  if (event.target.matches('[data-tick-all], input[name="task"]')) tellTicked();
});

// ------------------------------------------------------------------------------------------------ the keyboard

const PLACES = { h: "", t: "/tasks", r: "/runs", u: "/runners", d: "/directives", q: "/requests", l: "/log" };
let pending = false;

function moveRow(step) {
  const rows = [...document.querySelectorAll("[data-row]")];
  if (!rows.length) return;
  const now = rows.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const next = rows[Math.min(Math.max(now + step, 0), rows.length - 1)];
  rows.forEach((row) => row.removeAttribute("aria-selected"));
  next.setAttribute("aria-selected", "true");
  next.querySelector("a").focus();
  next.scrollIntoView({ block: "nearest" });
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input, textarea, select, [contenteditable]")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (pending) {
    pending = false;
    if (event.key in PLACES) location.href = "/panel" + PLACES[event.key];
    return;
  }
  const search = document.querySelector("[data-search]");
  const keys = document.getElementById("keys");
  if (event.key === "g") {
    pending = true;
    setTimeout(() => (pending = false), 1200);
  } else if (event.key === "/" && search) {
    event.preventDefault();
    search.focus();
    search.select();
  } else if (event.key === "?" && keys) keys.open ? keys.close() : keys.showModal();
  else if (event.key === "j") moveRow(1);
  else if (event.key === "k") moveRow(-1);
  else if (event.key === "x") {
    const box = document.querySelector('[data-row][aria-selected="true"] input[type="checkbox"]');
    if (box) box.click();
  }
}

// -------------------------------------------------------------------------------------------------------- rest

document.addEventListener("click", async (event) => {
  const place = event.target.closest("[data-copy]");
  if (!place || !navigator.clipboard || String(getSelection())) return;
  const text = place.textContent;
  try {
    await navigator.clipboard.writeText(text);
    place.textContent = COPIED;
    setTimeout(() => (place.textContent = text), 900);
  } catch {
    // it may be forbidden; selecting by hand still works
  }
});

// On a phone the navigation is a strip that scrolls: the page one is on must be in sight.
for (const here of document.querySelectorAll(".places [aria-current], .tabs [aria-current]")) {
  const strip = here.closest(".places, .tabs");
  strip.scrollLeft = here.offsetLeft - (strip.clientWidth - here.clientWidth) / 2;
}

// A picture that is wider than its place shows the task it is about.
for (const box of document.querySelectorAll(".scroll .box.chosen")) {
  const place = box.closest(".scroll");
  const [around, chosen] = [place.getBoundingClientRect(), box.getBoundingClientRect()];
  place.scrollLeft += chosen.left + chosen.width / 2 - (around.left + around.width / 2);
}

followOldAddress();
addEventListener("hashchange", followOldAddress);
document.addEventListener("keydown", onKey);
showTimes();
goLive();
keepAlong();
followOutput();
