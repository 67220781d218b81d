// Light, dark, or as the system has it. Set before the rest is loaded, so that nothing flashes.

import { recall, remember } from "./memory.js";

const KEY = "openenv.theme";
const NEXT = { auto: "light", light: "dark", dark: "auto" };

function show(theme) {
  if (theme === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  const control = document.getElementById("theme");
  control.title = `Colour theme: ${theme === "auto" ? "as the system" : theme}`;
  control.setAttribute("aria-label", control.title);
}

const known = () => (recall(KEY) in NEXT ? recall(KEY) : "auto");

/** Go on to the next theme. */
export function switchTheme() {
  const next = NEXT[known()];
  remember(KEY, next);
  show(next);
}

show(known());
document.getElementById("theme").addEventListener("click", switchTheme);
