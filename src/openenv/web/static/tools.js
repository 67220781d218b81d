// The environment's MCP tools, each as a form.

import { button, element } from "./dom.js";
import { createForm } from "./form.js";

/**
 * @param {HTMLElement} host
 * @param {{onList: function(): Promise<Object[]>, onCall: function(string, Object): Promise<void>,
 *   onFault: function(Error): void}} options
 * @returns {{load: function(): Promise<void>, loaded: boolean}}
 */
export function createTools(host, { onList, onCall, onFault }) {
  const list = element("div.tool-list", {}, element("p.muted.small", {}, "They are listed with the first reset."));
  const panel = { load, loaded: false };
  host.hidden = false;
  host.replaceChildren(
    element(
      "div.row-between",
      {},
      element("h2", {}, "MCP tools"),
      button("List", () => load().catch(onFault), "quiet"),
    ),
    list,
  );

  async function load() {
    const tools = await onList();
    panel.loaded = true;
    list.replaceChildren(
      ...(tools.length
        ? tools.map((tool, place) => toolForm(tool, place))
        : [element("p.muted.small", {}, "There are none.")]),
    );
  }

  function toolForm(tool, place) {
    const schema = tool.inputSchema ?? { type: "object" };
    const call = () => submit().catch(onFault);
    const form = createForm(schema, { idPrefix: `tool-${place}`, onSubmit: call });
    async function submit() {
      if (form.validate()) await onCall(tool.name, form.value().value ?? {});
    }
    return element(
      "details.fold.tool",
      {},
      element("summary", {}, element("bdi.mono", {}, tool.name)),
      tool.description ? element("p.muted.small", {}, element("bdi", {}, tool.description)) : null,
      form.element,
      element("div.actions", {}, button(`Call ${tool.name}`, call)),
    );
  }
  return panel;
}
