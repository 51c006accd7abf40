/**
 * Of a storm of triggers only some leave the host: a few of each cause at once, and then one each second that stands
 * for all that came since.
 */
import type { Attributes, TriggerMessage } from "./protocol.js";

const AT_ONCE = 5;
const INTERVAL_MS = 1000;
/** Causes come from outside. */
const MAX_CAUSES = 500;

interface Cause {
  sent: number;
  /** The latest that was not sent, and how many. */
  held: { atNs: bigint; attributes: Attributes } | undefined;
  count: number;
}

export interface LocalTrigger {
  readonly cause: string;
  readonly atNs: bigint;
  readonly attributes: Attributes;
}

export class StormFilter {
  readonly #causes = new Map<string, Cause>();
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly send: (message: TriggerMessage) => void) {}

  trigger(trigger: LocalTrigger): void {
    let name = trigger.cause;
    if (!this.#causes.has(name) && this.#causes.size >= MAX_CAUSES) name = "(others)";
    let cause = this.#causes.get(name);
    if (cause === undefined) {
      cause = { sent: 0, held: undefined, count: 0 };
      this.#causes.set(name, cause);
    }
    this.#timer ??= setTimeout(() => this.#tick(), INTERVAL_MS);
    if (cause.sent < AT_ONCE) {
      cause.sent++;
      this.#send(name, trigger.atNs, trigger.attributes, 1);
    } else {
      cause.held = { atNs: trigger.atNs, attributes: trigger.attributes };
      cause.count++;
    }
  }

  #send(cause: string, atNs: bigint, attributes: Attributes, count: number): void {
    this.send({ type: "trigger", cause, atNs: String(atNs), count, attributes });
  }

  #tick(): void {
    this.#timer = undefined;
    for (const [name, cause] of this.#causes) {
      const { held, count } = cause;
      if (held === undefined) {
        this.#causes.delete(name);
        continue;
      }
      this.#send(name, held.atNs, held.attributes, count);
      // The storm may go on: what comes in the next second waits for its end.
      cause.sent = AT_ONCE;
      cause.held = undefined;
      cause.count = 0;
    }
    if (this.#causes.size > 0) this.#timer = setTimeout(() => this.#tick(), INTERVAL_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
  }
}
