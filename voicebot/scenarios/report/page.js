"use strict";
const PAGE = 50;
const PEAK_MS = Number(document.body.dataset.peakMs);
const read = (id) => JSON.parse(document.getElementById(id).textContent);
const probe = document.body.appendChild(document.createElement("i"));
const css = (name) => { // a canvas knows plain colours only
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
};
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
};
const calls = read("index").map(([name, leg, line, passed, outcome, lengthMs, delayMs, why, sound, heard], i) =>
  ({ i, name, leg, line, passed, outcome, lengthMs, delayMs, why, sound, heard }));
const seconds = (ms) => (ms / 1000).toFixed(1) + " s";
const clock = (ms) => ms === null ? "" : `${Math.floor(ms / 60000)}:${String(Math.floor(ms / 1000) % 60).padStart(2, "0")}.${Math.floor(ms % 1000 / 100)}`;

// Sound

const player = new Audio();
let playing = null; // {i, stopMs, button, draw}
let address = null;
function stop() {
  player.pause();
  playing?.button?.setAttribute("aria-pressed", "false");
  const draw = playing?.draw;
  playing = null;
  draw?.();
}
function play(i, fromMs, toMs, button, draw) {
  const again = playing && playing.button === button && button;
  stop();
  if (again || !calls[i].sound) return;
  if (player.dataset.call !== String(i)) {
    if (address) URL.revokeObjectURL(address);
    const bytes = Uint8Array.from(atob(document.getElementById(`sound-${i}`).textContent), (sign) => sign.charCodeAt(0));
    address = URL.createObjectURL(new Blob([bytes], { type: "audio/mpeg" }));
    player.src = address;
    player.dataset.call = i;
  }
  playing = { i, stopMs: toMs, button, draw };
  button?.setAttribute("aria-pressed", "true");
  player.currentTime = fromMs / 1000;
  player.play();
  requestAnimationFrame(follow);
}
function follow() {
  if (!playing) return;
  if (player.currentTime * 1000 >= playing.stopMs || player.ended) return stop();
  playing.draw?.();
  requestAnimationFrame(follow);
}

// One call

const wave = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
function timeline(call, detail) {
  const canvas = make("canvas", { tabIndex: -1 });
  const box = make("div", { className: "line" }, canvas);
  const lengthMs = Math.max(detail.duration_ms, 1);
  const waves = detail.waves.map(wave);
  const height = 150, middle = [48, 104], half = 26;
  let scale = 1;
  const draw = () => {
    const width = Math.max(box.clientWidth, Math.min(lengthMs / 1000 * 14, 8000));
    const sharp = window.devicePixelRatio || 1;
    scale = width / lengthMs;
    Object.assign(canvas, { width: width * sharp, height: height * sharp });
    Object.assign(canvas.style, { width: width + "px", height: height + "px" });
    const pen = canvas.getContext("2d");
    pen.scale(sharp, sharp);
    pen.font = "11px system-ui, sans-serif";
    const colours = [css("--caller"), css("--bot")];
    const block = (lane, from, to, alpha, colour) => {
      pen.globalAlpha = alpha;
      pen.fillStyle = colour;
      pen.fillRect(from * scale, middle[lane] - half, Math.max((to - from) * scale, 2), 2 * half);
      pen.globalAlpha = 1;
    };
    for (const turn of detail.turns) {
      if (turn.began_ms === null) continue;
      if (turn.bot !== undefined) block(1, turn.began_ms, turn.ended_ms, .13, colours[1]);
      else if (turn.deed !== undefined) block(0, turn.began_ms, turn.ended_ms, turn.failed ? .3 : .1, turn.failed ? css("--bad") : colours[0]);
      if (turn.delay_ms > 0) {
        const from = turn.ended_ms * scale, to = (turn.ended_ms + turn.delay_ms) * scale;
        pen.fillStyle = pen.strokeStyle = turn.delay_ms > 1000 ? css("--bad") : css("--ink");
        pen.beginPath();
        pen.moveTo(from, 76); pen.lineTo(to, 76); pen.moveTo(from, 72); pen.lineTo(from, 80); pen.moveTo(to, 72); pen.lineTo(to, 80);
        pen.stroke();
        pen.textAlign = "center";
        pen.fillText(`${turn.delay_ms} ms`, Math.max((from + to) / 2, 22), 16);
      }
    }
    waves.forEach((peaks, lane) => {
      pen.fillStyle = colours[lane];
      const step = PEAK_MS * scale;
      for (let x = 0; x < width; x += 1) {
        let loudest = 0;
        for (let p = Math.floor(x / step); p <= Math.floor((x + 1) / step) && p < peaks.length; p += 1) loudest = Math.max(loudest, peaks[p]);
        const size = Math.max(loudest / 255 * half, .5);
        pen.fillRect(x, middle[lane] - size, 1, 2 * size);
      }
    });
    pen.textAlign = "left";
    pen.fillStyle = css("--faint");
    const every = [1, 2, 5, 10, 20, 30, 60, 120].find((s) => s * 1000 * scale > 55) ?? 300;
    for (let s = 0; s * 1000 < lengthMs; s += every) {
      pen.fillRect(s * 1000 * scale, 134, 1, 4);
      if (s * 1000 * scale + 30 < width) pen.fillText(`${s} s`, s * 1000 * scale + 3, 147);
    }
    if (playing?.i === call.i) {
      pen.fillStyle = css("--bad");
      pen.fillRect(player.currentTime * 1000 * scale, 20, 2, 114);
    }
  };
  canvas.addEventListener("click", (event) => play(call.i, event.offsetX / scale, lengthMs, null, draw));
  new ResizeObserver(draw).observe(box);
  return { box, draw };
}
function best(readings) {
  const rows = readings.map((reading) => make("tr", {},
    make("td", {}, make("span", { className: "bar" }, make("b", { style: `width:${100 * reading.confidence}%` })), reading.confidence.toFixed(2)),
    make("td", {}, reading.digits || reading.text || "—", reading.intent ? ` · ${reading.intent}` : "")));
  return make("table", { className: "best" }, make("tbody", {}, ...rows));
}
function describe(turn) {
  if (turn.bot !== undefined) {
    return ["bot", `Bot · ${turn.prompts.join(", ")}${turn.interrupted ? " · cut off" : ""}`, make("p", { lang: "bg" }, turn.bot)];
  }
  if (turn.deed !== undefined) {
    const expected = turn.says.length ? ` → ${turn.says.join(" · ")}` : "";
    return ["caller", `Turn ${turn.turn}`, make("p", {}, turn.deed), make("p", { className: "of", style: "white-space:normal" }, turn.text, expected)];
  }
  const words = turn.digits || turn.heard || "nothing understood";
  const heard = make("p", { lang: "bg" }, turn.via === "keys" ? `keys ${turn.digits}` : words, turn.intent ? ` · ${turn.intent}` : "");
  if (turn.delay_ms !== null) heard.append(make("span", { className: turn.delay_ms > 1000 ? "delay bad" : "delay" }, ` answered after ${turn.delay_ms} ms`));
  return ["", "Heard", heard, ...(turn.readings.length ? [best(turn.readings)] : [])];
}
function openCall(call) {
  const detail = read(`call-${call.i}`);
  const { box, draw } = timeline(call, detail);
  const key = make("p", { className: "key" },
    make("span", {}, make("i", { style: "background:var(--caller)" }), "caller, as the bot heard him"),
    make("span", {}, make("i", { style: "background:var(--bot)" }), "bot, as the caller heard it"),
    make("span", {}, call.sound ? "click into the waveform to play from there" : "its sound was left out"),
    make("span", {}, detail.place));
  const turns = detail.turns.map((turn) => {
    const [kind, who, ...content] = describe(turn);
    const button = make("button", { type: "button", textContent: "▶", ariaLabel: `Play ${who}`, hidden: !call.sound || turn.began_ms === null });
    button.addEventListener("click", () => play(call.i, Math.max(0, turn.began_ms - 100), Math.max(turn.ended_ms, turn.began_ms + 400) + 200, button, draw));
    return make("li", { className: `turn ${kind}${turn.failed ? " failed" : ""}` }, make("span", {}, button),
      make("span", { className: "at" }, clock(turn.began_ms)), make("div", {}, make("span", { className: "who" }, who), ...content));
  });
  return make("div", { className: "open" }, box, key, make("ol", { className: "turns" }, ...turns));
}
function row(call) {
  const facts = [call.leg, call.line, call.outcome ?? "no outcome", seconds(call.lengthMs), ...(call.delayMs === null ? [] : [`${call.delayMs} ms`])];
  const button = make("button", { type: "button", ariaExpanded: "false" },
    make("span", { className: `mark ${call.passed ? "good" : "bad"}` }, call.passed ? "✓" : "✗"), make("span", {}, call.name),
    make("span", { className: "heard", lang: "bg" }, call.heard && `→ ${call.heard}`),
    make("span", { className: "facts" }, facts.join(" · ")),
    ...(call.why.length ? [make("ul", { className: "why bad" }, ...call.why.map((why) => make("li", {}, why)))] : []));
  const element = make("article", { className: "call" }, button);
  button.addEventListener("click", () => {
    const opened = element.querySelector(".open");
    if (opened) { if (playing?.i === call.i) stop(); opened.remove(); } else element.append(openCall(call));
    button.ariaExpanded = String(!opened);
  });
  return element;
}

// Lists

const part = (id) => document.getElementById(id);
const words = new Map();
const wordsOf = (call) => {
  if (!words.has(call.i)) words.set(call.i, part(`call-${call.i}`).textContent.toLowerCase());
  return words.get(call.i);
};
let page = 0;
function list(box, found, pages) {
  const shown = found.slice(page * PAGE, (page + 1) * PAGE);
  box.replaceChildren(...shown.map(row));
  const count = Math.ceil(found.length / PAGE);
  pages.replaceChildren(...(count < 2 ? [] : Array.from({ length: count }, (_, n) => {
    const button = make("button", { type: "button", textContent: n + 1 });
    if (n === page) button.setAttribute("aria-current", "page");
    button.addEventListener("click", () => { page = n; show(); box.scrollIntoView(); });
    return button;
  })));
}
function show() {
  const find = part("find").value.trim().toLowerCase(), leg = part("leg").value, line = part("line").value;
  const found = calls.filter((call) => (!leg || call.leg === leg) && (!line || call.line === line) && (!find || wordsOf(call).includes(find)));
  const order = { slow: (a, b) => (b.delayMs ?? 0) - (a.delayMs ?? 0), long: (a, b) => b.lengthMs - a.lengthMs }[part("order").value];
  if (order) found.sort(order);
  part("count").textContent = `${found.length} calls`;
  list(part("calls"), found, part("pages"));
}
for (const name of ["leg", "line"]) {
  part(name).append(...[...new Set(calls.map((call) => call[name]))].sort().map((value) => make("option", {}, value)));
}
document.querySelector(".filter").addEventListener("submit", (event) => event.preventDefault());
let waiting = 0;
document.querySelector(".filter").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(() => { page = 0; show(); }, 120); });
const failed = calls.filter((call) => !call.passed);
if (failed.length) {
  const more = make("button", { type: "button", textContent: `Show all ${failed.length}` });
  more.addEventListener("click", () => part("failed").replaceChildren(...failed.map(row)));
  part("failed").append(...failed.slice(0, PAGE).map(row), ...(failed.length > PAGE ? [make("div", { className: "pages" }, more)] : []));
}
show();
