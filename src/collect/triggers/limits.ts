/**
 * What keeps triggers from hurting: of many that come together one incident is made, and no more incidents than
 * people can read and disks can hold. Nothing here knows of agents or files; time is told from outside.
 */

export interface LimitOptions {
  /** Triggers of a group so long after an incident's begin belong to it. */
  readonly windowMs: number;
  /** Incidents that a group (and one cause in it) may have at once, and after how long one more. */
  readonly burst: number;
  readonly refillMs: number;
  readonly causeBurst: number;
  readonly causeRefillMs: number;
  readonly incidentsPerHour: number;
  readonly bytesPerHour: number;
  /** An incident whose snapshots have not all come after so long holds nobody up any more. */
  readonly cooldownMs: number;
}

export const DEFAULT_LIMITS: LimitOptions = {
  windowMs: 2000,
  burst: 3,
  refillMs: 60_000,
  causeBurst: 2,
  causeRefillMs: 120_000,
  incidentsPerHour: 30,
  bytesPerHour: 20 * 2 ** 30,
  cooldownMs: 60_000,
};

/** Why no incident was made. */
export type Suppression = "cool-down" | "group rate" | "cause rate" | "incidents an hour" | "bytes an hour";

export type Decision =
  | { readonly kind: "incident" }
  /** It belongs to an incident that is young enough. */
  | { readonly kind: "joins"; readonly incident: string }
  | { readonly kind: "suppressed"; readonly reason: Suppression };

/** So many at once, then one more per `refillMs`. */
export class TokenBucket {
  #tokens: number;
  #since: number;

  constructor(
    private readonly burst: number,
    private readonly refillMs: number,
    nowMs: number,
  ) {
    this.#tokens = burst;
    this.#since = nowMs;
  }

  #refill(nowMs: number): void {
    this.#tokens = Math.min(this.burst, this.#tokens + (nowMs - this.#since) / this.refillMs);
    this.#since = nowMs;
  }

  has(nowMs: number): boolean {
    this.#refill(nowMs);
    // Refills are sums of fractions.
    return this.#tokens >= 1 - 1e-9;
  }

  take(): void {
    this.#tokens = Math.max(0, this.#tokens - 1);
  }

  /** As good as new: it need not be remembered. */
  isFull(nowMs: number): boolean {
    this.#refill(nowMs);
    return this.#tokens >= this.burst;
  }
}

interface Group {
  readonly bucket: TokenBucket;
  readonly causes: Map<string, TokenBucket>;
  /** The latest incident; its snapshots may still be arriving. */
  incident: { readonly id: string; readonly beganMs: number; saving: boolean } | undefined;
}

const HOUR_MS = 3_600_000;
/** Causes come from outside: beyond so many they share one bucket. */
const MAX_CAUSES = 1000;
const MAX_GROUPS = 1000;
const REST = "(others)";

export class TriggerLimits {
  readonly #groups = new Map<string, Group>();
  /** Of the last hour. */
  readonly #begun: number[] = [];
  readonly #stored: { readonly ms: number; readonly bytes: number }[] = [];

  constructor(private readonly options: LimitOptions) {}

  /** Answers what to do. After `incident`, the caller says `begin`. `nowMs` never goes back. */
  decide(groupName: string, cause: string, nowMs: number): Decision {
    const group = this.#group(groupName, nowMs);
    const { incident } = group;
    if (incident !== undefined) {
      const age = nowMs - incident.beganMs;
      if (age < this.options.windowMs) return { kind: "joins", incident: incident.id };
      if (incident.saving && age < this.options.cooldownMs)
        return { kind: "suppressed", reason: "cool-down" };
    }
    const { incidentsPerHour, bytesPerHour } = this.options;
    this.#forget(nowMs);
    if (this.#begun.length >= incidentsPerHour) return { kind: "suppressed", reason: "incidents an hour" };
    const bytes = this.#stored.reduce((sum, one) => sum + one.bytes, 0);
    if (bytes >= bytesPerHour) return { kind: "suppressed", reason: "bytes an hour" };
    if (!group.bucket.has(nowMs)) return { kind: "suppressed", reason: "group rate" };
    if (!this.#cause(group, cause, nowMs).has(nowMs)) return { kind: "suppressed", reason: "cause rate" };
    return { kind: "incident" };
  }

  begin(groupName: string, cause: string, id: string, nowMs: number): void {
    const group = this.#group(groupName, nowMs);
    group.bucket.take();
    this.#cause(group, cause, nowMs).take();
    group.incident = { id, beganMs: nowMs, saving: true };
    this.#begun.push(nowMs);
  }

  /** All snapshots of the incident have come, or will not. */
  finish(groupName: string, id: string): void {
    const incident = (this.#groups.get(groupName) ?? this.#groups.get(REST))?.incident;
    if (incident?.id === id) incident.saving = false;
  }

  stored(bytes: number, nowMs: number): void {
    this.#stored.push({ ms: nowMs, bytes });
  }

  #group(name: string, nowMs: number): Group {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    if (this.#groups.size >= MAX_GROUPS && name !== REST) return this.#group(REST, nowMs);
    const { burst, refillMs } = this.options;
    const group: Group = {
      bucket: new TokenBucket(burst, refillMs, nowMs),
      causes: new Map(),
      incident: undefined,
    };
    this.#groups.set(name, group);
    return group;
  }

  #cause(group: Group, cause: string, nowMs: number): TokenBucket {
    const known = group.causes.get(cause);
    if (known !== undefined) return known;
    if (group.causes.size >= MAX_CAUSES) {
      for (const [name, bucket] of group.causes) if (bucket.isFull(nowMs)) group.causes.delete(name);
      if (group.causes.size >= MAX_CAUSES && cause !== REST) return this.#cause(group, REST, nowMs);
    }
    const { causeBurst, causeRefillMs } = this.options;
    const bucket = new TokenBucket(causeBurst, causeRefillMs, nowMs);
    group.causes.set(cause, bucket);
    return bucket;
  }

  #forget(nowMs: number): void {
    while (this.#begun.length > 0 && nowMs - this.#begun[0]! >= HOUR_MS) this.#begun.shift();
    while (this.#stored.length > 0 && nowMs - this.#stored[0]!.ms >= HOUR_MS) this.#stored.shift();
  }
}
