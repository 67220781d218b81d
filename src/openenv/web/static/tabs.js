// Tabs: one is shown, arrow keys go between them, and a panel is built when it is first looked at.

import { element } from "./dom.js";

/**
 * @param {HTMLElement} bar
 * @param {HTMLElement} panels
 * @param {Array<{id: string, label: string, build: function(): Node}>} tabs
 * @param {function(string): void} onShow
 * @returns {{select: function(string|number): void, shown: string}}
 */
export function createTabs(bar, panels, tabs, onShow) {
  const made = tabs.map(({ id, label, build }) => {
    const tab = element(
      "button.tab",
      { type: "button", role: "tab", id: `tab-${id}`, "aria-controls": `panel-${id}` },
      label,
    );
    const panel = element("div.panel", {
      role: "tabpanel",
      id: `panel-${id}`,
      "aria-labelledby": tab.id,
      tabindex: 0,
      hidden: true,
    });
    tab.addEventListener("click", () => select(id));
    return { id, tab, panel, build, built: false };
  });
  let shown = "";

  function select(which, focus = false) {
    const found = typeof which === "number" ? made[which] : made.find(({ id }) => id === which);
    if (!found) return;
    shown = found.id;
    for (const each of made) {
      const isIt = each === found;
      each.tab.setAttribute("aria-selected", String(isIt));
      each.tab.tabIndex = isIt ? 0 : -1;
      each.panel.hidden = !isIt;
    }
    if (!found.built) found.panel.append(found.build());
    found.built = true;
    found.tab.scrollIntoView({ block: "nearest", inline: "nearest" });
    if (focus) found.tab.focus();
    onShow(shown);
  }

  bar.addEventListener("keydown", (event) => {
    const place = made.findIndex(({ id }) => id === shown);
    const to = { ArrowRight: place + 1, ArrowLeft: place - 1, Home: 0, End: made.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    select((to + made.length) % made.length, true);
  });
  bar.append(...made.map(({ tab }) => tab));
  panels.append(...made.map(({ panel }) => panel));
  return {
    select,
    get shown() {
      return shown;
    },
  };
}
