// Keeps the page current: takes over what the server pushes, and says when it no longer does.
"use strict";

const SILENCE_MS = 15000; // the server says something every 5 s; later than this it is lost
const OPENED_MAX = 1;
const lang = document.documentElement.lang;
const body = document.body;
const $ = (id) => document.getElementById(id);

let eventId = body.dataset.eventId;
let source = null;
let heard = Date.now();
let lostAt = 0;
let clockAhead = 0; // server's clock minus ours, ms

function connect() {
  if (source) source.close();
  source = new EventSource(`/events?lang=${lang}&since=${encodeURIComponent(eventId)}`);
  source.addEventListener("update", (event) => {
    eventId = event.lastEventId || eventId;
    take(JSON.parse(event.data));
    heard = Date.now();
    showLost(false);
  });
  source.onerror = () => showLost(true);
}

function showLost(lost) {
  if (lost && !lostAt) {
    lostAt = heard;
    const at = new Date(lostAt + clockAhead);
    $("lost-since").textContent = at.toLocaleTimeString(lang, zoned({ timeStyle: "medium" }));
    $("lost-since").dateTime = at.toISOString();
  }
  if (!lost) lostAt = 0;
  $("lost").hidden = !lost;
  body.classList.toggle("lost", lost);
}

function zoned(options) {
  try {
    new Intl.DateTimeFormat(lang, { timeZone: body.dataset.zone });
    return { ...options, timeZone: body.dataset.zone };
  } catch {
    return options;
  }
}

function take(update) {
  clockAhead = Date.parse(update.now) - Date.now();
  for (const part of ["banner", "service", "counts"]) {
    // Only what changed is replaced, so that nothing is announced twice.
    const element = $(part);
    if (element.dataset.html !== update[part]) {
      element.innerHTML = update[part];
      element.dataset.html = update[part];
    }
  }
  document.title = update.title;
  body.classList.toggle("dead", update.dead);
  if (update.lists) for (const [name, html] of Object.entries(update.lists)) takeList(name, html);
  for (const [patient, version] of Object.entries(update.trends || {})) takeTrend(patient, version);
  tellAges();
}

function takeList(name, html) {
  const section = $(`list-${name}`);
  const fresh = document.createElement("template");
  fresh.innerHTML = html;
  const list = section.querySelector("ol");
  const wanted = fresh.content.querySelector("ol");
  const cards = [...wanted.children];
  cards.forEach((card, place) => placeCard(list, card, place, name));
  while (list.children.length > cards.length) list.lastElementChild.remove();
  list.dataset.shown = wanted.dataset.shown;
  // Heading and notes around the list.
  section.querySelector("h2").replaceWith(fresh.content.querySelector("h2"));
  section.querySelectorAll(":scope > p").forEach((p) => p.remove());
  section.append(...fresh.content.querySelectorAll(":scope > p"));
}

function placeCard(list, card, place, name) {
  const there = list.children[place] || null;
  if (card.dataset.stub !== undefined) {
    const known = $(card.dataset.stub);
    if (!known) return location.reload(); // this page is not what the server believes
    if (known !== there) list.insertBefore(known, there);
    return;
  }
  const known = $(card.id);
  if (!known) {
    list.insertBefore(card, there);
    if (name !== "resolved") announce(card);
    return;
  }
  const focused = known.contains(document.activeElement);
  card.querySelector("details").open = known.querySelector("details").open;
  const scrolled = [...known.querySelectorAll(".paper")].map((p) => p.scrollLeft);
  if (known === there) known.replaceWith(card);
  else {
    known.remove();
    list.insertBefore(card, list.children[place] || null);
  }
  card.querySelectorAll(".paper").forEach((p, i) => (p.scrollLeft = scrolled[i] || 0));
  if (focused) card.querySelector("summary").focus({ preventScroll: true });
}

function announce(card) {
  card.classList.add("new");
  const open = document.querySelectorAll(".card.high:not(.resolved) details[open]").length;
  if (card.dataset.priority === "high" && open < OPENED_MAX) {
    card.querySelector("details").open = true;
  }
  const line = document.createElement("p");
  line.textContent = `${body.dataset.new}: ${card.dataset.say}`;
  $("announce").append(line);
  while ($("announce").children.length > 5) $("announce").firstElementChild.remove();
}

function takeTrend(patient, version) {
  for (const image of document.querySelectorAll("img.trend")) {
    if (image.dataset.trend !== patient) continue;
    const narrow = image.previousElementSibling;
    if (new URL(image.src).searchParams.get("v") === String(version)) continue;
    narrow.srcset = narrow.srcset.replace(/v=[0-9]+/, `v=${version}`);
    image.src = image.src.replace(/v=[0-9]+/, `v=${version}`);
  }
}

function tellAges() {
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: "always", style: "short" });
  for (const element of document.querySelectorAll(".ago")) {
    const seconds = (Date.now() + clockAhead - Date.parse(element.dataset.since)) / 1000;
    const [value, unit] =
      seconds < 60 ? [seconds, "second"] :
      seconds < 3600 ? [seconds / 60, "minute"] :
      seconds < 172800 ? [seconds / 3600, "hour"] : [seconds / 86400, "day"];
    const said = seconds < 0 ? "" : `(${relative.format(-Math.floor(value), unit)})`;
    if (element.textContent !== said) element.textContent = said;
  }
}

function openLinked() {
  const card = location.hash.startsWith("#a-") && $(location.hash.slice(1));
  if (card) {
    card.querySelector("details").open = true;
    card.scrollIntoView();
  }
}

setInterval(() => {
  tellAges();
  const quiet = Date.now() - heard;
  const closed = source.readyState === EventSource.CLOSED;
  if (closed || quiet > SILENCE_MS) {
    showLost(true);
    // A closed connection does not come back by itself, and a dead one may not tell.
    if (Math.round(quiet / 1000) % (closed ? 3 : 10) === 0) connect();
  }
}, 1000);
window.addEventListener("hashchange", openLinked);
window.addEventListener("pageshow", (event) => event.persisted && location.reload());
openLinked();
tellAges();
connect();
