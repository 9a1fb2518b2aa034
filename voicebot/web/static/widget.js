/**
 * <voicebot-call>: a call to the bot on any page. One script tag is enough:
 *   <script type="module" src="https://BOT/static/widget.js"></script>
 * puts a button into the corner of the page; where the page holds the element itself, it stands there instead.
 *
 * Attributes: lang ("bg" or "en"; else the page's), inquiry-url (a page to look a bill up without a call),
 * token-url (where the site's own server gives tokens), floating (a button in the corner).
 */

import { VoiceCall } from "./call.js";
import { h, icon } from "./dom.js";
import { TEXTS } from "./texts.js";

const HERE = new URL(".", import.meta.url);
const KEYS = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "*", "0", "#"];
const BARS = [0.45, 0.75, 1, 0.75, 0.45];

class VoicebotCall extends HTMLElement {
  #call = null;
  #state = "idle";
  #muted = false;
  #keyed = "";
  #turns = new Map();
  #parts = {};

  connectedCallback() {
    if (this.shadowRoot) return;
    this.#texts = TEXTS[this.#language()];
    const root = this.attachShadow({ mode: "open" });
    const style = h("link", { rel: "stylesheet", href: new URL("widget.css", HERE).href });
    const body = this.#build();
    body.hidden = true;
    style.addEventListener("load", () => (body.hidden = false));
    root.append(style, body);
    new ResizeObserver(() => this.#scroll()).observe(this.#parts.log.parentElement);
    this.#show("idle");
  }

  disconnectedCallback() {
    this.#call?.hangUp();
  }

  #texts;

  #language() {
    const named = this.lang || this.closest("[lang]")?.lang || document.documentElement.lang || navigator.language;
    return named.toLowerCase().startsWith("bg") ? "bg" : "en";
  }

  #build() {
    const t = this.#texts;
    const part = (name, element) => (this.#parts[name] = element);
    const floating = this.hasAttribute("floating");
    const panel = part(
      "panel",
      h(
        "section",
        { class: "panel", "aria-label": t.title, onkeydown: (event) => this.#onKey(event) },
        h(
          "header",
          {},
          h("span", { class: "mark" }, icon("bolt")),
          h("h2", {}, t.title),
          floating ? this.#button("minimise", t.minimise, "close", () => this.#open(false)) : "",
        ),
        h(
          "div",
          { class: "stage" },
          part("orb", h("div", { class: "orb", "aria-hidden": "true" }, ...BARS.map(() => h("i")))),
          h(
            "div",
            {},
            part("status", h("p", { class: "status", role: "status" })),
            part("hint", h("p", { class: "hint" })),
          ),
        ),
        part("problem", h("div", { class: "problem", role: "alert" })),
        h(
          "div",
          { class: "captions", tabindex: "0", role: "group", "aria-label": t.conversation },
          part("log", h("div", { role: "log", "aria-label": t.conversation })),
          part("partial", h("p", { class: "turn caller partial", "aria-hidden": "true", hidden: true })),
        ),
        part("keypad", this.#keypad()),
        part("actions", h("div", { class: "actions" })),
        part(
          "controls",
          h(
            "div",
            { class: "controls" },
            part("mute", this.#button("mute", t.mute, "microphone", () => this.#mute(!this.#muted))),
            part("keys", this.#button("toggle", t.keypad, "keypad", () => this.#toggleKeypad())),
            this.#button("hang-up", t.hangUp, "hangUp", () => this.#call.hangUp()),
          ),
        ),
      ),
    );
    this.#parts.mute.setAttribute("aria-label", t.muteOn);
    if (!floating) return h("div", { class: "inline" }, panel);
    panel.hidden = true;
    part("launch", h("button", { class: "launch", type: "button", "aria-expanded": "false" }, icon("call"), t.launch));
    this.#parts.launch.addEventListener("click", () => this.#open(panel.hidden));
    return h("div", { class: "floating" }, panel, this.#parts.launch);
  }

  #button(name, label, drawing, onclick) {
    return h("button", { type: "button", class: `control ${name}`, onclick }, icon(drawing), h("span", {}, label));
  }

  #keypad() {
    const keys = KEYS.map((key) =>
      h("button", { type: "button", class: "key", "data-key": key, onclick: () => this.#press(key) }, key),
    );
    this.#parts.keyed = h("p", { class: "keyed" });
    return h("div", { class: "keypad", hidden: true }, this.#parts.keyed, h("div", { class: "keys" }, ...keys));
  }

  #open(open) {
    const { panel, launch } = this.#parts;
    panel.hidden = !open;
    launch.hidden = open;
    launch.setAttribute("aria-expanded", String(open));
    launch.lastChild.textContent = this.#call ? this.#texts.running : this.#texts.launch;
    (open ? panel.querySelector(".actions button, .control.mute") : launch)?.focus();
  }

  // The call

  async #start(microphone) {
    this.#turns.clear();
    this.#parts.log.replaceChildren();
    this.#keyed = "";
    this.#parts.keyed.textContent = "";
    this.#mute(false);
    this.#toggleKeypad(!microphone);
    const call = (this.#call = new VoiceCall(new URL("..", HERE), this.getAttribute("token-url")));
    call.addEventListener("state", ({ detail }) => this.#show(detail));
    call.addEventListener("caption", ({ detail }) => this.#caption(detail));
    call.addEventListener("end", ({ detail }) => this.#end(detail));
    const ringing = call.start({ microphone });
    this.#parts.panel.querySelector(".control.hang-up").focus();
    this.#draw();
    await ringing;
  }

  #end(problem) {
    this.#call = null;
    this.#parts.partial.hidden = true;
    this.#toggleKeypad(false);
    this.#show(problem ? "problem" : "ended", problem);
    this.#parts.actions.querySelector("button")?.focus();
  }

  #mute(muted) {
    this.#muted = muted;
    if (this.#call) this.#call.muted = muted;
    this.#parts.mute.setAttribute("aria-pressed", String(muted));
    this.#parts.mute.firstChild.replaceWith(icon(muted ? "microphoneOff" : "microphone"));
    this.#show(this.#state);
  }

  #press(key) {
    this.#call?.press(key);
    this.#keyed = key === "*" || this.#keyed.endsWith("#") ? "" : this.#keyed;
    if (key !== "*") this.#keyed += key;
    this.#parts.keyed.textContent = this.#keyed && `${this.#texts.keyed}: ${this.#keyed}`;
  }

  #onKey(event) {
    if (event.key === "Escape" && this.#parts.launch) this.#open(false);
    if (!this.#call || !KEYS.includes(event.key) || event.ctrlKey || event.altKey || event.metaKey) return;
    this.#toggleKeypad(true);
    this.#press(event.key);
    const button = this.#parts.keypad.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), 150);
  }

  #toggleKeypad(shown = this.#parts.keypad.hidden) {
    this.#parts.keypad.hidden = !shown;
    this.#parts.keys.setAttribute("aria-expanded", String(shown));
  }

  // What is seen

  #show(state, problem = null) {
    this.#state = state;
    const { panel, status, hint, problem: told, controls, actions, mute } = this.#parts;
    const silent = this.#call !== null && state !== "connecting" && !this.#call.hasMicrophone;
    const named = state !== "listening" ? state : silent ? "silentListening" : this.#muted ? "muted" : state;
    panel.dataset.state = named === "silentListening" ? "listening" : named;
    status.textContent = this.#texts.states[named] ?? "";
    hint.textContent = state === "idle" ? this.#texts.intro : (this.#texts.hints[named] ?? "");
    controls.hidden = this.#call === null;
    mute.hidden = silent;
    told.replaceChildren();
    if (problem) {
      const [title, advice] = this.#texts.problems[problem.kind];
      told.append(h("strong", {}, title), h("p", {}, advice));
      console.warn(`voicebot: ${problem.message}`);
    }
    if (this.#call) actions.replaceChildren();
    else this.#offer(state, problem);
  }

  /** What can be done while there is no call. */
  #offer(state, problem) {
    const t = this.#texts;
    const label = problem ? t.retry : state === "ended" ? t.again : t.call;
    const inquiry = this.getAttribute("inquiry-url");
    this.#parts.actions.replaceChildren(
      h("button", { type: "button", class: "primary", onclick: () => this.#start(true) }, icon("call"), label),
      h("button", { type: "button", class: "secondary", onclick: () => this.#start(false) }, t.silent),
      ...(inquiry ? [h("a", { class: "secondary", href: inquiry }, t.inquiry)] : []),
    );
  }

  #caption({ turn, speaker, text, final }) {
    const { log, partial } = this.#parts;
    if (speaker === "caller") {
      partial.textContent = final ? "" : text;
      partial.hidden = final || !text;
      if (!final || !text) return this.#scroll();
    }
    let shown = this.#turns.get(turn);
    if (!shown) {
      const name = h("span", { class: "speaker" }, `${this.#texts[speaker]}: `);
      shown = { bubble: h("p", { class: `turn ${speaker}` }, name), text: "" };
      this.#turns.set(turn, shown);
      log.append(shown.bubble);
    }
    // Only what is new is added, so that a screen reader reads each sentence once.
    shown.bubble.append(h("span", { lang: "bg" }, text.slice(shown.text.length)));
    shown.text = text;
    this.#scroll();
  }

  #scroll() {
    const box = this.#parts.log.parentElement;
    box.scrollTop = box.scrollHeight;
  }

  /** Draw the level, as long as there is a call. */
  #draw() {
    const { orb } = this.#parts;
    const level = this.#call?.level(this.#state === "speaking" ? "bot" : "visitor") ?? 0;
    orb.style.setProperty("--level", level.toFixed(2));
    BARS.forEach((share, i) => orb.children[i].style.setProperty("--height", (0.14 + 0.86 * level * share).toFixed(2)));
    if (this.#call) requestAnimationFrame(() => this.#draw());
  }
}

customElements.define("voicebot-call", VoicebotCall);

if (!document.querySelector("voicebot-call")) {
  const options = new URL(import.meta.url).searchParams;
  document.body.append(h("voicebot-call", { floating: true, ...Object.fromEntries(options) }));
}
