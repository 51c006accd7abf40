/** Pages taken from and given back to the page allocator: 2^order pages per event record. */

import type { EventSource } from "../sources/source.js";
import type { Context } from "./model.js";

export function attachMemory(source: EventSource, model: Context): void {
  const { hosts, names, on } = model;
  source.subscribe({
    matches: names.is("pageAlloc"),
    fields: { order: { from: "order", kind: "number" }, tid: { from: "context:tid", kind: "number" } },
    handle(r) {
      const host = hosts[r.host]!;
      const cpu = host.cpu(r.cpu, r.ns);
      const thread = host.current(cpu, r.tid);
      const pages = r.order > 0 ? 2 ** r.order : 1;
      const l = on.pageAlloc;
      for (let i = 0; i < l.length; i++) l[i]!(cpu, thread, pages, r.ns);
    },
  });
  source.subscribe({
    matches: names.is("pageFree"),
    fields: { order: { from: "order", kind: "number" }, tid: { from: "context:tid", kind: "number" } },
    handle(r) {
      const host = hosts[r.host]!;
      const cpu = host.cpu(r.cpu, r.ns);
      const thread = host.current(cpu, r.tid);
      const pages = r.order > 0 ? 2 ** r.order : 1;
      const l = on.pageFree;
      for (let i = 0; i < l.length; i++) l[i]!(cpu, thread, pages, r.ns);
    },
  });
}
