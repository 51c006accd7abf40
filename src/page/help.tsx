/** The legend, and the keys. */
import { Fragment } from "preact";
import { DOING_LABELS, Doing } from "./contract.js";
import { colorsOf } from "./palette.js";
import { helpShown, theme } from "./state.js";

const LEGEND: readonly Doing[] = [
  Doing.user,
  Doing.syscall,
  Doing.irq,
  Doing.softirq,
  Doing.runnable,
  Doing.disk,
  Doing.network,
  Doing.lock,
  Doing.process,
  Doing.timer,
  Doing.kernel,
  Doing.memory,
  Doing.blocked,
  Doing.idle,
  Doing.unknown,
];

export function Legend() {
  const colors = colorsOf(theme.value);
  return (
    <ul class="legend" aria-label="Legend" data-testid="legend">
      {LEGEND.map((doing) => (
        <li key={doing}>
          <i class="swatch" style={{ background: colors[doing] }} />
          {DOING_LABELS[doing]}
        </li>
      ))}
    </ul>
  );
}

export const KEYS: readonly (readonly [keys: string, what: string])[] = [
  ["w s", "zoom in, out, at the pointer (or in the middle)"],
  ["a d", "move left, right"],
  ["drag", "move; on the axis or with Shift: select a range"],
  ["wheel", "scroll rows; with Ctrl: zoom; with Shift: move"],
  ["double click", "zoom to the state or instance"],
  ["f", "zoom to what is selected"],
  ["0", "the whole trace"],
  ["z  Shift z", "back to the view before, and forth"],
  ["↑ ↓  k j", "the row above, below"],
  ["← →", "the state before, after, in this row"],
  ["Enter", "open the state (or fold the group) at the row"],
  ["p", "pin the row, or unpin it"],
  ["h", "height of rows: with words, low, all at once"],
  ["m", "set a mark at the cursor, or take it away"],
  ["[ ]", "the slow instance before, after"],
  ["y", "why: explain the selected instance"],
  ["c", "critical path of the selection"],
  ["e t", "events, scatter plot"],
  ["/", "filter rows"],
  ["l", "copy a link to this view"],
  ["Esc", "clear the selection"],
  ["?", "this help"],
];

export function Help() {
  if (!helpShown.value) return null;
  const close = (): void => {
    helpShown.value = false;
  };
  return (
    <dialog
      class="help"
      aria-label="Keys"
      data-testid="help"
      // A click beside it closes it, as Escape does.
      {...{ closedby: "any" }}
      ref={(dialog) => {
        if (dialog?.open === false) dialog.showModal();
      }}
      onClose={close}
    >
      <h2>Keys</h2>
      <dl class="keys">
        {KEYS.map(([keys, what]) => (
          <Fragment key={keys}>
            <dt>
              {keys.split("  ").map((group) => (
                <kbd key={group}>{group}</kbd>
              ))}
            </dt>
            <dd>{what}</dd>
          </Fragment>
        ))}
      </dl>
      <button type="button" class="main" ref={(button) => button?.focus()} onClick={close}>
        Close
      </button>
    </dialog>
  );
}
