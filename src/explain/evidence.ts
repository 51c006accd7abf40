/** The event records of given moments, as they are in the trace: what an explanation rests on. */
import type { EventSource } from "../sources/source.js";

export interface Evidence {
  readonly epochNs: bigint;
  readonly host: string;
  readonly cpu: number;
  /** Of the thread that it happened in, where the trace has such a context. */
  readonly tid: number | null;
  readonly procname: string;
  readonly event: string;
  readonly payload: Readonly<Record<string, unknown>>;
}

const MOST = 12;

/** `moments`: `ns` since the source's origin. In time order. */
export function evidenceAt(open: () => EventSource, moments: readonly number[]): Evidence[] {
  const wanted = new Set(moments);
  if (wanted.size === 0) return [];
  const source = open();
  const { originNs, hosts } = source.info;
  const out: Evidence[] = [];
  source.subscribe({
    matches: () => true,
    fields: {
      payload: { from: "payload:", kind: "value" },
      tid: { from: "context:tid", kind: "number" },
      procname: { from: "context:procname", kind: "string" },
    },
    handle(r) {
      if (!wanted.has(r.ns) || out.length >= MOST) return;
      out.push({
        epochNs: originNs + BigInt(r.ns),
        host: hosts[r.host]!.name,
        cpu: r.cpu,
        tid: Number.isNaN(r.tid) ? null : r.tid,
        procname: r.procname,
        event: r.event.name,
        payload: (r.payload ?? {}) as Record<string, unknown>,
      });
    },
  });
  source.run({ beginNs: Math.min(...wanted), endNs: Math.max(...wanted) });
  return out;
}
