// What the page can do more with a script: search while typing, ages that go on, a question before a delete, copying.
// Everything else is there without it. Nothing is put into the page that the server did not escape: parts of answers
// are taken over as parsed, texts are set as texts.
"use strict";

const TYPING_PAUSE = 150; // ms: shorter than a pause between words, longer than one between letters
const AGE_STEP = 1000; // ms: ages are shown to the second at most

// Ages.

const opened = performance.now();
let serverNow = NaN; // unix time in seconds by the server's clock, when the overview was made
let readAt = opened;

function readClock() {
  const overview = document.querySelector("[data-now]");
  serverNow = overview ? Number(overview.dataset.now) : Date.now() / 1000;
  readAt = performance.now();
}

function two(large, unit, small, smaller) {
  return small ? `${large} ${unit} ${small} ${smaller}` : `${large} ${unit}`;
}

// As words.age of the server writes it.
function age(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86400) return two(Math.floor(whole / 3600), "h", Math.floor((whole % 3600) / 60), "min");
  return two(Math.floor(whole / 86400), "d", Math.floor((whole % 86400) / 3600), "h");
}

function showAges() {
  const now = serverNow + (performance.now() - readAt) / 1000;
  for (const time of document.querySelectorAll("time[datetime]")) {
    const seconds = now - Date.parse(time.dateTime) / 1000;
    const text = "ahead" in time.dataset ? `in ${age(-seconds)}` : `${age(seconds)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}

// The list, without loading the page anew.

// The address without the password that a reader may have written into it: with that, nothing can be fetched.
function plain(address) {
  const url = new URL(address, location.href);
  url.username = url.password = "";
  return url;
}

let asking = new AbortController();

async function load(address) {
  asking.abort();
  asking = new AbortController();
  const url = plain(address);
  const answer = await fetch(url, { signal: asking.signal, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!page.getElementById("results")) {
    location.assign(address); // a problem, which is a page of its own
    return;
  }
  for (const id of ["overview", "results", "hint", "older-problem"]) {
    document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
  }
  for (const name of ["q", "older"]) {
    const field = form().elements[name];
    field.toggleAttribute("aria-invalid", page.querySelector(`[name="${name}"][aria-invalid]`) !== null);
  }
  history.replaceState(null, "", url.pathname + url.search);
  readClock();
  showAges();
}

function reload(address) {
  load(address).catch((error) => {
    if (error.name !== "AbortError") say(`The list cannot be loaded: ${error.message}`);
  });
}

function form() {
  return document.getElementById("filters");
}

function wanted() {
  const given = new URLSearchParams(new FormData(form()));
  for (const [name, value] of [...given]) {
    if (!value || (name === "show" && value === "all")) given.delete(name);
  }
  if (given.get("show") !== "stale" && given.get("older") === form().elements.older.defaultValue) given.delete("older");
  return given.size ? `${form().action}?${given}` : form().action;
}

function followFilters() {
  if (!form()) return;
  let timer = 0;
  form().addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => reload(wanted()), TYPING_PAUSE);
  });
  form().addEventListener("submit", (event) => {
    event.preventDefault();
    clearTimeout(timer);
    reload(wanted());
  });
  document.addEventListener("keydown", (event) => {
    const typing = /^(?:INPUT|TEXTAREA|SELECT)$/.test(document.activeElement.tagName);
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      form().elements.q.select();
    }
  });
}

// Deletes.

let then = ""; // where to go once it is done; nowhere: the list is loaded anew

function ask(event) {
  const link = event.target.closest("a[data-confirm]");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const dialog = document.getElementById("confirm");
  dialog.querySelector("form").action = link.href;
  dialog.querySelector("#question").textContent = link.dataset.confirm;
  dialog.querySelector(".problem").hidden = true;
  then = link.dataset.then || "";
  dialog.showModal();
}

async function doIt(event) {
  event.preventDefault();
  const dialog = document.getElementById("confirm");
  const problem = dialog.querySelector(".problem");
  try {
    const answer = await fetch(plain(event.target.action), { method: "POST" });
    if (!answer.ok) throw new Error(`the gateway answers ${answer.status}`);
    dialog.close();
    if (then) location.assign(then);
    else reload(location.href);
    say("Deleted.");
  } catch (error) {
    problem.textContent = `That did not work: ${error.message}`;
    problem.hidden = false;
  }
}

function followDeletes() {
  const dialog = document.getElementById("confirm");
  document.addEventListener("click", ask);
  dialog.querySelector("form").addEventListener("submit", doIt);
  dialog.querySelector(".cancel").addEventListener("click", () => dialog.close());
}

// Copying.

function say(text) {
  document.getElementById("said").textContent = text;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return;
  } catch {
    // over plain HTTP there is no clipboard, or it is not for us: then as of old
  }
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  if (!done) throw new Error("the browser does not allow it");
}

function followCopies() {
  for (const button of document.querySelectorAll("button.copy")) button.hidden = false;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const title = button.textContent;
    try {
      await copy(button.dataset.copy);
      button.textContent = "Copied";
    } catch (error) {
      button.textContent = `Not copied: ${error.message}`;
    }
    say(button.textContent);
    setTimeout(() => { button.textContent = title; }, 1500);
  });
}

readClock();
showAges();
setInterval(showAges, AGE_STEP);
followFilters();
followDeletes();
followCopies();
