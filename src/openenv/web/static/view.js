// What `render_web` of the environment drew: HTML, shown inert in a sandboxed frame that gets it by message.

import { element } from "./dom.js";

const HIGHEST_PX = 640;

/** @returns {{element: HTMLElement, show: function(?string): void}} */
export function createFrame() {
  const host = element("div.view", { hidden: true });
  let frame = null;
  let ready = false;
  let latest = null;

  function send() {
    // The frame's origin is opaque, so no other target can be named; it is our own page and no other.
    if (ready) frame.contentWindow?.postMessage({ html: latest }, "*");
  }

  function build() {
    frame = element("iframe", { sandbox: "allow-scripts", src: "web/frame", title: "The environment's own view" });
    window.addEventListener("message", (event) => {
      if (!frame || event.source !== frame.contentWindow) return;
      if (event.data?.ready) {
        ready = true;
        send();
      } else if (Number.isFinite(event.data?.height)) {
        frame.style.height = `${Math.max(40, Math.min(event.data.height, HIGHEST_PX))}px`;
      }
    });
    host.append(frame);
  }

  return {
    element: host,
    show(html) {
      host.hidden = html === null;
      if (html === null || html === latest) return;
      latest = html;
      if (!frame) build();
      send();
    },
  };
}
