/**
 * The state dump: processes and descriptors that existed when tracing began.
 *
 * Since lttng-modules 2.12 a descriptor is dumped with the address of its file table instead of a pid; the
 * process that has the same table is dumped before or after it. Dump and live events are interleaved: what a
 * live event told stays.
 */

import type { EventSource } from "../sources/source.js";
import { dumpedFile } from "./files.js";
import type { Context } from "./model.js";
import { namespaceKind } from "./names.js";
import type { Descriptor } from "./state.js";

interface FileTable {
  fds: Map<number, Descriptor>;
  owned: boolean;
}

export function attachStatedump(source: EventSource, model: Context, withFiles: boolean): void {
  const { hosts, names } = model;
  const tables: Map<number, FileTable>[] = hosts.map(() => new Map());

  source.subscribe({
    matches: names.is("dumpProcess"),
    fields: {
      tid: { from: "payload:tid", kind: "number" },
      pid: { from: "payload:pid", kind: "number" },
      ppid: { from: "payload:ppid", kind: "number" },
      name: { from: "payload:name", kind: "string" },
      table: { from: "file_table_address", kind: "address" },
    },
    handle(r) {
      if (r.tid === 0) return;
      const host = hosts[r.host]!;
      const thread = host.thread(r.tid);
      if (thread.name === "") thread.name = r.name;
      host.setPid(thread, r.pid);
      if (r.ppid > 0) thread.parent ??= host.thread(r.ppid);
      if (Number.isNaN(r.table)) return;
      const known = tables[r.host]!.get(r.table);
      if (known === undefined) tables[r.host]!.set(r.table, { fds: thread.process.fds, owned: true });
      else if (!known.owned) {
        const { fds } = thread.process;
        for (const [fd, d] of known.fds) {
          const live = fds.get(fd);
          if (live === undefined) fds.set(fd, d);
          else if (live.file.name === "") live.file = d.file;
        }
        known.fds = fds;
        known.owned = true;
      }
    },
  });

  for (const event of source.info.events) {
    const kind = namespaceKind(event.name);
    if (kind === undefined) continue;
    source.subscribe({
      matches: (e) => e === event,
      fields: {
        tid: { from: "payload:tid", kind: "number" },
        inode: { from: "ns_inum", kind: "number" },
        level: { from: "ns_level", kind: "number" },
      },
      handle(r) {
        const thread = hosts[r.host]!.find(r.tid);
        // A process in nested pid namespaces is told once per level, the innermost first.
        if (thread === undefined || thread.namespaces?.has(kind)) return;
        thread.namespaces = new Map([...(thread.namespaces ?? []), [kind, r.inode]]);
      },
    });
  }

  if (!withFiles) return;
  source.subscribe({
    matches: names.is("dumpFile"),
    fields: {
      pid: { from: "payload:pid", kind: "number" },
      table: { from: "file_table_address", kind: "address" },
      fd: { from: "payload:fd", kind: "number" },
      flags: { from: "payload:flags", kind: "number" },
      name: { from: "filename", kind: "string" },
    },
    handle(r) {
      const host = hosts[r.host]!;
      if (Number.isNaN(r.table)) {
        dumpedFile(host.thread(r.pid).process.fds, host, r.fd, r.flags, r.name);
        return;
      }
      let table = tables[r.host]!.get(r.table);
      if (table === undefined) {
        table = { fds: new Map(), owned: false };
        tables[r.host]!.set(r.table, table);
      }
      dumpedFile(table.fds, host, r.fd, r.flags, r.name);
    },
  });
}
