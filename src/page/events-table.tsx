/** Event records around the cursor, with search. */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { complain } from "./actions.js";
import type { ExperimentClient } from "./api-client.js";
import type { EventLines } from "./contract.js";
import { client, cursorNs, experiment, rowName, shown, view } from "./state.js";
import { clock } from "./text.js";

const COUNT = 100;
const page = signal<{ readonly source: ExperimentClient; readonly found: EventLines } | undefined>(undefined);
const search = signal("");
const reading = signal(false);
/** Answers to earlier questions than this are late. */
let asked = 0;

/** Answers whether the table shows what was asked for. */
async function load(query: {
  ns?: number;
  index?: number;
  search?: string;
  direction?: string;
}): Promise<boolean> {
  const source = client.value;
  if (source === undefined) return false;
  const mine = ++asked;
  reading.value = true;
  try {
    const found = await source.events({ ...query, count: COUNT });
    if (mine !== asked) return false;
    if (found.index >= 0) {
      page.value = { source, found };
      return true;
    }
    complain(`no event record ${query.direction === "previous" ? "before" : "after"} this matches`);
  } catch (error) {
    if (mine === asked) complain(error);
  } finally {
    if (mine === asked) reading.value = false;
  }
  return false;
}

/** What is known of the trace that is shown. */
const current = (): EventLines | undefined =>
  page.value?.source === client.value ? page.value?.found : undefined;

export function EventsTable() {
  const box = useRef<HTMLDivElement>(null);
  const at = cursorNs.value ?? shown.value.beginNs;
  const isReady = experiment.value?.status === "ready";
  useEffect(() => {
    if (!isReady) return;
    // The cursor was moved from within the table: it is there already.
    const known = current();
    if (known?.lines.some(({ ns }) => ns === at)) return;
    const timer = setTimeout(() => void load({ ns: at }), 200);
    return () => clearTimeout(timer);
  }, [at, isReady, client.value]);
  useEffect(() => {
    box.current?.querySelector(".current")?.scrollIntoView({ block: "nearest" });
  }, [at, page.value]);
  const found = current();
  const go = (direction: "next" | "previous"): void => {
    const here = found?.lines.find(({ ns }) => ns >= at)?.index ?? found?.index ?? 0;
    const index = direction === "next" ? here + 1 : Math.max(0, here - 1);
    void load({ index, search: search.value, direction }).then((isFound) => {
      const first = current()?.lines[0];
      if (isFound && first !== undefined && search.value !== "") cursorNs.value = first.ns;
    });
  };
  return (
    <div class="events" data-testid="events">
      <form
        class="events-bar"
        onSubmit={(event) => {
          event.preventDefault();
          go("next");
        }}
      >
        <input
          type="search"
          placeholder="search: sched_switch, fd = 3, a.*regexp"
          aria-label="Search events"
          value={search.value}
          onInput={(event) => {
            search.value = (event.target as HTMLInputElement).value;
          }}
        />
        <button type="button" onClick={() => go("previous")}>
          Previous
        </button>
        <button type="submit">Next</button>
        <span class="faint">
          {reading.value
            ? "reading …"
            : found === undefined
              ? ""
              : `${found.index.toLocaleString("en")} of ${found.total.toLocaleString("en")}`}
        </span>
        <button type="button" onClick={() => found && void load({ index: Math.max(0, found.index - COUNT) })}>
          ↑ Earlier
        </button>
        <button type="button" onClick={() => found && void load({ index: found.index + COUNT })}>
          ↓ Later
        </button>
      </form>
      <div class="events-box" ref={box}>
        <table>
          <thead>
            <tr>
              <th>time</th>
              <th>CPU</th>
              <th>thread</th>
              <th>event</th>
              <th>fields</th>
            </tr>
          </thead>
          <tbody>
            {found?.lines.map((line) => (
              <tr
                key={line.index}
                class={line.ns === at ? "current" : ""}
                tabIndex={0}
                onClick={() => {
                  cursorNs.value = line.ns;
                  const now = view.value;
                  if (now !== undefined && (line.ns < now.beginNs || line.ns > now.endNs)) {
                    now.show(line.ns - now.spanNs / 2, line.ns + now.spanNs / 2);
                  }
                }}
                onKeyDown={(event) => {
                  if (event.key === "Enter") cursorNs.value = line.ns;
                }}
              >
                <td class="mono">{clock(experiment.value!.originNs, line.ns)}</td>
                <td>{line.cpu}</td>
                <td>{rowName(line.row)}</td>
                <td>{line.name}</td>
                <td class="mono fields">{line.text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  );
}
