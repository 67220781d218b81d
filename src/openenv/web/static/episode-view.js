// The middle column: the timeline, the record that is selected in it, and what can be done with an episode as a whole.

import { button, byId, copy, element } from "./dom.js";
import { createDetail } from "./detail.js";
import { createTimeline } from "./timeline.js";
import { counted } from "./format.js";
import { serverUrl } from "./api.js";
import { curlCode, pythonCode } from "./code.js";
import { codeSteps, fromJsonl, toJsonl } from "./episode.js";
import { announce } from "./notice.js";
import { token } from "./token.js";

/**
 * @param {{player: Object, schemas: Object, notice: Object, onReset: function(): void, onSelect: function(): void}}
 *   options
 */
export function createEpisodeView({ player, schemas, notice, onReset, onSelect }) {
  const timeline = createTimeline({ onSelect: () => later(), ordinalOf: (place) => upTo(place).steps });
  const detail = createDetail(byId("detail"), { schemas, onMove: (by) => timeline.move(by), onReset });
  let due = 0;
  let sums = { of: null, totals: [], steps: [] };

  byId("timeline").append(timeline.element);
  byId("copy-python").addEventListener("click", ({ currentTarget }) => copy(pythonCode(script()), currentTarget));
  byId("copy-curl").addEventListener("click", ({ currentTarget }) => copy(curlCode(script()), currentTarget));
  byId("export").addEventListener("click", () => save(player));
  for (const id of ["import", "import-empty"]) byId(id).addEventListener("click", () => byId("file").click());
  byId("file").addEventListener("change", () => open(byId("file")));

  function script() {
    return { client: schemas.client, url: serverUrl, token: token.get(), steps: codeSteps(player) };
  }

  async function open(input) {
    const [file] = input.files;
    input.value = "";
    if (!file) return;
    try {
      player.look(fromJsonl(await file.text()));
    } catch (error) {
      notice.say(`${file.name} cannot be read: ${error.message}`, { tone: "bad" });
      return;
    }
    look(file.name);
  }

  function look(name) {
    const recorded = player.imported;
    const text = `You look at ${name}, an episode of ${counted(recorded.records.length, "record")}.`;
    notice.say(text, {
      tone: "accent",
      closes: false,
      about: "imported",
      action: ["Replay it here", () => replay(recorded)],
    });
    byId("notice").append(button("Close it", () => leave(), "quiet"));
  }

  function leave() {
    notice.clear();
    player.look(null);
  }

  async function replay(recorded) {
    notice.clear();
    try {
      await player.replay(recorded);
    } catch (error) {
      if (!player.lost) notice.say(`The replay stopped: ${error.message}`, { tone: "bad" });
    }
  }

  /** The totals up to each record; kept, and only added to while the same episode grows. */
  function upTo(place) {
    const { records } = player;
    if (sums.of !== records) sums = { of: records, totals: [], steps: [] };
    for (let at = sums.totals.length; at < records.length; at += 1) {
      const { reward, kind } = records[at];
      sums.totals.push(
        (sums.totals[at - 1] ?? 0) + (typeof reward === "number" && Number.isFinite(reward) ? reward : 0),
      );
      sums.steps.push((sums.steps[at - 1] ?? 0) + (kind === "step" ? 1 : 0));
    }
    return { cumulative: sums.totals[place] ?? 0, steps: sums.steps[place] ?? 0 };
  }

  function draw() {
    due = 0;
    const { records } = player;
    const place = timeline.selected;
    const record = records[place];
    if (record)
      detail.show(record, {
        place,
        count: records.length,
        isLast: place === records.length - 1 && !player.imported,
        ...upTo(place),
      });
    onSelect();
  }

  function later() {
    if (!due) due = requestAnimationFrame(draw);
  }

  return {
    select: (place) => timeline.select(place),
    move: (by) => timeline.move(by),
    get selected() {
      return timeline.selected;
    },
    /** Follow the player. */
    show() {
      const { records } = player;
      const isEmpty = records.length === 0;
      byId("welcome").hidden = byId("import-first").hidden = !isEmpty;
      byId("episode").hidden = isEmpty;
      byId("timeline-title").textContent = player.imported ? "Imported episode" : "Timeline";
      timeline.show(records);
      later();
    },
    /** How a replay goes. */
    replay() {
      const { done, total, differing, running } = player.replayed;
      if (running) {
        notice.progress(`Replaying: ${done} of ${total}.`, ["Stop", () => (player.replayed.stopped = true)]);
        return;
      }
      const same = differing.length === 0;
      const others = `${counted(differing.length, "outcome")} differ${differing.length === 1 ? "s" : ""}`;
      const text = `Replayed ${done} of ${total}: ${same ? "every outcome is the same" : others}.`;
      notice.say(text, {
        about: "replay",
        tone: same ? "good" : "warn",
        action: same ? null : ["Show the first", () => timeline.select(differing[0])],
      });
      announce(text);
    },
  };
}

function save(player) {
  const text = toJsonl(player.imported ?? player.episode);
  const address = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  const link = element("a", { href: address, download: `episode-${player.number}.jsonl` });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
