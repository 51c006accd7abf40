/** What is written on slices and instants, made once for all that say the same. */
import { DOING_LABELS, Doing } from "../history/doing.js";
import { CALL_BITS, type History } from "../history/history.js";
import { isWait, stateLabel, threadName } from "../history/labels.js";

export interface Label {
  /** Dense, from 0, of those that many slices share; -1: of one slice only. */
  readonly id: number;
  readonly name: string;
  readonly category: string;
  readonly attributes: readonly (readonly [key: string, value: string | number])[];
}

const MOST_INTERRUPTS = 2 ** 20;
const NO_ATTRIBUTES: Label["attributes"] = [];

export class Labels {
  #count = 0;
  readonly #calls: (Label | undefined)[] = [];
  readonly #doings: Map<number, Label>[] = [];
  readonly #running = new Map<number, Label>();
  readonly #interrupts = new Map<number, Label>();
  readonly #wakes: (Label | undefined)[] = [];
  readonly #wokenBy: (Label | undefined)[] = [];

  constructor(private readonly history: History) {}

  #make(name: string, category: string, detail: string): Label {
    const attributes = detail === "" ? NO_ATTRIBUTES : ([["detail", detail]] as const);
    return { id: this.#count++, name, category, attributes };
  }

  /** A system call, by its number in the history. */
  call(call: number): Label {
    this.#calls[call] ??= this.#make(this.history.syscallNames[call] || "system call", "system call", "");
    return this.#calls[call];
  }

  /** What a thread does or waits for, but for its system call. */
  thread(row: number, doing: Doing, arg: number): Label {
    const { history } = this;
    if (doing === Doing.irq || doing === Doing.softirq) return this.#interrupt(row, doing, arg);
    const key = isWait(doing) ? arg >>> CALL_BITS : doing === Doing.user ? 0 : arg;
    this.#doings[doing] ??= new Map();
    const those = this.#doings[doing];
    let label = those.get(key);
    if (label === undefined) {
      const category = isWait(doing) ? "wait" : doing === Doing.runnable ? "runnable" : "running";
      const said = isWait(doing) ? (history.targets[key] ?? "") : stateLabel(history, row, doing, arg);
      label = this.#make(DOING_LABELS[doing], category, said);
      those.set(key, label);
    }
    return label;
  }

  /** What a CPU does: the name of its thread, or an interrupt. */
  cpu(row: number, doing: Doing, arg: number): Label {
    if (doing === Doing.irq || doing === Doing.softirq) return this.#interrupt(row, doing, arg);
    const thread = doing === Doing.user || doing === Doing.syscall ? arg : -1;
    let label = this.#running.get(thread);
    if (label === undefined) {
      const name = thread < 0 ? "" : stateLabel(this.history, row, doing, arg);
      this.#running.set(thread, (label = this.#make(name || DOING_LABELS[doing], "running", "")));
    }
    return label;
  }

  #interrupt(row: number, doing: Doing, arg: number): Label {
    const { history } = this;
    // The numbers of interrupts are their host's own.
    const key = (history.rows[row]!.host * MOST_INTERRUPTS + arg) * 2 + (doing === Doing.irq ? 1 : 0);
    let label = this.#interrupts.get(key);
    if (label === undefined) {
      const name = stateLabel(history, row, doing, arg) || DOING_LABELS[doing];
      this.#interrupts.set(key, (label = this.#make(name, "interrupt", "")));
    }
    return label;
  }

  wakes(row: number): Label {
    this.#wakes[row] ??= this.#make(`wakes ${threadName(this.history, row)}`, "wake-up", "");
    return this.#wakes[row];
  }

  wokenBy(row: number): Label {
    this.#wokenBy[row] ??= this.#make(`woken by ${threadName(this.history, row)}`, "wake-up", "");
    return this.#wokenBy[row];
  }
}
