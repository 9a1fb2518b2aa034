/** Elements without markup in strings, so that pages with Trusted Types and a strict CSP can hold the widget. */

const SVG = "http://www.w3.org/2000/svg";

/** An element: attributes by name, listeners by a name with "on", false for none; children are nodes or texts. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children);
  return element;
}

const ICONS = {
  call: "M6.6 10.8a15 15 0 0 0 6.6 6.6l2.2-2.2a1 1 0 0 1 1-.25 11.4 11.4 0 0 0 3.6.57 1 1 0 0 1 1 1V20a1 1 0 0 1-1 1A17 17 0 0 1 3 4a1 1 0 0 1 1-1h3.5a1 1 0 0 1 1 1c0 1.25.2 2.45.57 3.57a1 1 0 0 1-.25 1.02z",
  hangUp:
    "M12 9c-1.6 0-3.15.25-4.6.72v3.1a1 1 0 0 1-.57.9c-.98.5-1.87 1.12-2.66 1.85a1 1 0 0 1-1.4-.02L.3 13.08a1 1 0 0 1 0-1.42A17 17 0 0 1 12 7a17 17 0 0 1 11.7 4.66 1 1 0 0 1 0 1.42l-2.47 2.47a1 1 0 0 1-1.4.02 11 11 0 0 0-2.67-1.85 1 1 0 0 1-.56-.9v-3.1A15 15 0 0 0 12 9z",
  microphone:
    "M12 14a3 3 0 0 0 3-3V5a3 3 0 0 0-6 0v6a3 3 0 0 0 3 3zm5-3a5 5 0 0 1-10 0H5a7 7 0 0 0 6 6.9V21h2v-3.1A7 7 0 0 0 19 11z",
  microphoneOff:
    "M19 11h-1.7c0 .74-.16 1.43-.43 2.05l1.23 1.23A7 7 0 0 0 19 11zm-4-.2V5a3 3 0 0 0-6 0v.2zM4.27 3 3 4.27l6 6V11a3 3 0 0 0 3.6 2.94l1.66 1.66A5 5 0 0 1 7 11H5a7 7 0 0 0 6 6.9V21h2v-3.1c.9-.13 1.75-.45 2.53-.9L19.73 21 21 19.73z",
  keypad:
    "M5 3h4v4H5zm5 0h4v4h-4zm5 0h4v4h-4zM5 8h4v4H5zm5 0h4v4h-4zm5 0h4v4h-4zM5 13h4v4H5zm5 0h4v4h-4zm5 0h4v4h-4zm-5 5h4v4h-4z",
  close: "M7.4 8.6 12 13.2l4.6-4.6L18 10l-6 6-6-6z",
  bolt: "M13 2 4 14h6l-1 8 9-12h-6z",
};

/** One of the drawings above; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
