"use strict";

// PDUs that the page keeps, and those that the list shows.
const KEPT = 10000;
const SHOWN = 300;
// Seconds that the plots show.
const SPAN = 120;
const STATES = ["DELIVRD", "UNDELIV", "EXPIRED", "REJECTD", "DELETED", "UNKNOWN", "ACCEPTD", "ENROUTE"];

const by = (id) => document.getElementById(id);
const entries = new Map();
let found = null;
let opened = null;
let isLive = true;
let isFilled = false;

async function ask(path, body) {
  const options = body === undefined ? {} : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(path, { ...options, cache: "no-store" });
  if (!response.ok) throw new Error(await response.text());
  return response;
}

// The log.

function keep(changed) {
  for (const entry of changed) entries.set(entry.n, entry);
  for (const n of entries.keys()) {
    if (entries.size <= KEPT) break;
    entries.delete(n);
  }
}

function isShown(entry) {
  switch (by("show").value) {
    case "messages": return ["message", "mo", "receipt"].includes(entry.kind);
    case "requests": return entry.kind !== "response";
    default: return true;
  }
}

function time(entry) {
  const seconds = entry.at / 1000;
  const minutes = Math.floor(seconds / 60);
  return `${minutes}:${(seconds - 60 * minutes).toFixed(3).padStart(6, "0")}`;
}

// Texts come from the network: they are set as text, never as HTML.
function cell(row, text, className) {
  const td = row.insertCell();
  td.textContent = text;
  td.title = text;
  if (className) td.className = className;
}

function list() {
  const all = found ?? [...entries.values()];
  const shown = [];
  for (let at = all.length - 1; at >= 0 && shown.length < SHOWN; at--) {
    if (isShown(all[at])) shown.push(all[at]);
  }
  const rows = document.createElement("tbody");
  rows.id = "rows";
  for (const entry of shown) {
    const row = rows.insertRow();
    row.className = entry.kind + (entry.n === opened ? " open" : "");
    row.tabIndex = 0;
    row.dataset.n = entry.n;
    cell(row, time(entry));
    cell(row, entry.account);
    cell(row, entry.kind === "receipt" ? "receipt" : entry.kind === "mo" ? "MO message" : entry.command);
    cell(row, entry.source || (entry.kind === "message" ? "" : entry.from));
    cell(row, entry.destination || (entry.kind === "message" ? "" : entry.to));
    cell(row, entry.rejected ? `rejected: ${entry.rejected}` : entry.text, entry.rejected ? "bad" : "");
    cell(row, entry.id);
    if (entry.kind === "response") cell(row, entry.status, entry.status === "ESME_ROK" ? "" : "bad");
    else if (entry.answer) cell(row, `${entry.answer.status} ${entry.answer.ms.toFixed(1)} ms`, entry.answer.status === "ESME_ROK" ? "" : "bad");
    else cell(row, "");
  }
  const focused = document.activeElement?.dataset?.n;
  by("rows").replaceWith(rows);
  if (focused) rows.querySelector(`[data-n="${focused}"]`)?.focus();
  by("count").textContent = `${shown.length} shown`;
}

async function search() {
  const query = by("search").value.trim();
  if (!query) {
    found = null;
  } else {
    const answer = await (await ask(`api/pdus?q=${encodeURIComponent(query)}`)).json();
    // The text may have changed while the answer was on its way.
    if (query !== by("search").value.trim()) return;
    found = answer.entries;
  }
  list();
}

async function open(n) {
  opened = n;
  const pre = by("pdu");
  try {
    pre.replaceChildren();
    for (const line of (await (await ask(`api/pdu?n=${n}`)).text()).split("\n")) {
      const span = document.createElement("span");
      span.textContent = `${line}\n`;
      if (/^ {2}(quirk|malformed|not read|rejected):/.test(line)) span.className = "quirk";
      pre.append(span);
    }
  } catch (error) {
    pre.textContent = error.message;
  }
  by("detail").hidden = false;
  list();
}

// The plots.

function plot(canvas, now, lines) {
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const draw = canvas.getContext("2d");
  draw.scale(ratio, ratio);
  const color = (selector) => getComputedStyle(document.querySelector(selector)).color;
  const top = Math.max(1, ...lines.flatMap((line) => line.points.map((point) => point[1])));
  const x = (second) => width - ((now - second) / SPAN) * width;
  const y = (value) => height - 4 - (value / top) * (height - 20);
  draw.strokeStyle = draw.fillStyle = color("figcaption");
  draw.lineWidth = 0.3;
  draw.strokeRect(0, y(top), width, 0);
  draw.strokeRect(0, y(0), width, 0);
  draw.font = "11px system-ui, sans-serif";
  draw.fillText(top >= 10 ? Math.round(top) : Number(top.toFixed(1)), 2, y(top) - 3);
  for (const { kind, points } of lines) {
    draw.strokeStyle = draw.fillStyle = color(`figcaption .${kind}`);
    draw.lineWidth = 1.5;
    draw.beginPath();
    points.forEach(([second, value], index) => {
      if (index === 0) draw.moveTo(x(second), y(value));
      else draw.lineTo(x(second), y(value));
    });
    draw.stroke();
    if (points.length < SPAN) for (const [second, value] of points) draw.fillRect(x(second) - 1.5, y(value) - 1.5, 3, 3);
  }
}

function plots({ now, seconds }) {
  const first = now - SPAN;
  const known = new Map(seconds.map((second) => [second.second, second]));
  // The current second is not over.
  const rate = (pick) => Array.from({ length: SPAN }, (_, at) => {
    const second = known.get(first + at);
    return [first + at, second ? pick(second) : 0];
  });
  const mean = (pick) => seconds.filter((second) => second.second >= first && pick(second) !== null).map((second) => [second.second, pick(second)]);
  plot(by("rate"), now, [
    { kind: "submitted", points: rate((second) => second.submitted.requests) },
    { kind: "delivered", points: rate((second) => second.delivered.requests) },
    { kind: "refused", points: rate((second) => second.submitted.refused + second.delivered.refused) },
  ]);
  plot(by("time"), now, [
    { kind: "submitted", points: mean((second) => second.submitted.mean) },
    { kind: "delivered", points: mean((second) => second.delivered.mean) },
  ]);
}

// The SMSC.

function weights() {
  const chosen = [...by("states").querySelectorAll("input")].filter((input) => input.value > 0);
  return chosen.map((input) => `${input.dataset.state}=${input.value}`).join(",");
}

function fill(settings, force) {
  for (const input of document.querySelectorAll("[data-setting]")) {
    // What the user is writing stays.
    if (input === document.activeElement && !force) continue;
    if (input.type === "checkbox") input.checked = settings[input.dataset.setting];
    else input.value = settings[input.dataset.setting];
  }
  const shares = new Map(settings.states.split(",").map((state) => {
    const [name, weight] = state.split("=");
    return [name.trim().toUpperCase(), weight?.trim() ?? "1"];
  }));
  for (const input of by("states").querySelectorAll("input")) {
    if (input !== document.activeElement || force) input.value = shares.get(input.dataset.state) ?? 0;
  }
}

async function change(input) {
  const result = by("settings-result");
  const setting = input.dataset.setting ?? "states";
  const value = input.dataset.state ? weights() : input.type === "checkbox" ? input.checked : input.type === "number" ? Number(input.value) : input.value;
  try {
    fill(await (await ask("api/settings", { [setting]: value })).json(), false);
    result.className = "";
    result.textContent = "";
  } catch (error) {
    result.className = "bad";
    result.textContent = error.message;
  }
}

function state({ live, smsc, plots: seconds, pdus, dropped }) {
  isLive = live;
  document.body.classList.toggle("capture", !live);
  by("what").textContent = live ? "smsc" : "decode";
  const older = dropped > 0 ? `, ${dropped} older ones dropped` : "";
  by("status").className = "";
  by("status").textContent = live && smsc
    ? `${smsc.bound} binds, ${smsc.connections} connections, ${smsc.pending} to deliver, ${pdus} PDUs kept${older}`
    : `${pdus} PDUs${older}`;
  plots(seconds);
  if (!live || !smsc) return;
  by("bound").textContent = `(${smsc.bound})`;
  const binds = document.createElement("tbody");
  binds.id = "binds";
  for (const bind of smsc.binds) {
    const row = binds.insertRow();
    cell(row, bind.system_id);
    cell(row, `${bind.mode}${bind.tls ? ", TLS" : ""} from ${bind.peer}; ${bind.received} in, ${bind.sent} out${bind.quirks ? `, ${bind.quirks} quirks` : ""}${bind.malformed ? `, ${bind.malformed} malformed` : ""}`);
  }
  by("binds").replaceWith(binds);
  if (!isFilled) {
    by("mo-account").replaceChildren(...smsc.accounts.map((account) => new Option(account, account)));
    isFilled = true;
  }
  fill(smsc.settings, false);
}

function follow() {
  const events = new EventSource("api/events");
  let searching = null;
  events.onmessage = ({ data }) => {
    const { log, state: changed } = JSON.parse(data);
    keep(log.entries);
    if (changed) state(changed);
    if (log.entries.length === 0 || by("pause").checked) return;
    if (found === null) list();
    else searching ??= setTimeout(() => { searching = null; search().catch(() => {}); }, 1000);
  };
  events.onerror = () => {
    by("status").className = "lost";
    by("status").textContent = "no connection to the program";
    // The browser connects again by itself, except after a refusal.
    if (events.readyState === EventSource.CLOSED) setTimeout(follow, 3000);
  };
}

for (const name of STATES) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  Object.assign(input, { type: "number", min: "0", max: "1000000" });
  input.dataset.state = name;
  label.append(name, input);
  by("states").append(label);
}

const fail = (error) => { by("count").textContent = error.message; };
by("search").addEventListener("input", () => search().catch(fail));
by("show").addEventListener("change", list);
by("pause").addEventListener("change", list);
by("close").addEventListener("click", () => { opened = null; by("detail").hidden = true; list(); });
by("list").addEventListener("click", ({ target }) => {
  const row = target.closest("[data-n]");
  if (row) open(Number(row.dataset.n));
});
by("list").addEventListener("keydown", ({ key, target }) => {
  if (key === "Enter" && target.dataset.n) open(Number(target.dataset.n));
});
for (const form of ["receipts", "faults"]) {
  by(form).addEventListener("change", ({ target }) => change(target));
  by(form).addEventListener("submit", (event) => event.preventDefault());
}
by("end").addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = by("end-result");
  try {
    await ask("api/end", { how: by("end-how").value });
    result.className = "";
    result.textContent = "ended";
  } catch (error) {
    result.className = "bad";
    result.textContent = error.message;
  }
});
by("mo").addEventListener("submit", async (event) => {
  event.preventDefault();
  const result = by("mo-result");
  const [account, from, to, text] = ["account", "from", "to", "text"].map((name) => by(`mo-${name}`).value);
  try {
    const { segments } = await (await ask("api/mo", { account, from, to, text })).json();
    result.className = "";
    result.textContent = segments === 1 ? "queued" : `queued in ${segments} segments`;
  } catch (error) {
    result.className = "bad";
    result.textContent = error.message;
  }
});
follow();
