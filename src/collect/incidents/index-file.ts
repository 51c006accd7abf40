/**
 * The index of incidents: one SQLite file in the store's hidden part. SQLite and not DuckDB, because it is written
 * row by row as things happen and read by key; and its WebAssembly build needs no compiler and no download on any
 * machine that has Node (Node 20 has no SQLite of its own).
 */
import { existsSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import sqlite from "node-sqlite3-wasm";
import { PeriscopeError } from "../../base/errors.js";
import type { HostState, Incident, IncidentHost, IncidentState, WhyState } from "./incident.js";

const SCHEMA = `
CREATE TABLE IF NOT EXISTS incident (
  id TEXT PRIMARY KEY, team TEXT NOT NULL, cause TEXT NOT NULL, host TEXT NOT NULL,
  at_ns TEXT NOT NULL, received_ns TEXT NOT NULL, attributes TEXT NOT NULL,
  triggers INTEGER NOT NULL, suppressed INTEGER NOT NULL, state TEXT NOT NULL, why TEXT NOT NULL,
  why_summary TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS incident_host (
  incident TEXT NOT NULL REFERENCES incident(id) ON DELETE CASCADE, host TEXT NOT NULL, state TEXT NOT NULL,
  frozen_ns TEXT, freeze_ms REAL, begin_ns TEXT, end_ns TEXT, event_records INTEGER NOT NULL,
  lost INTEGER NOT NULL, bytes INTEGER NOT NULL, clock_offset_ns REAL, clock_error_ns REAL,
  path TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (incident, host)
);
CREATE TABLE IF NOT EXISTS suppressed (
  team TEXT NOT NULL, reason TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (team, reason)
);
PRAGMA user_version = 1;
`;

type Row = Record<string, unknown>;

/** Below the store. */
export function indexPath(store: string): string {
  return join(store, ".periscope", "incidents.sqlite");
}

export class IncidentIndex {
  readonly #database: InstanceType<typeof sqlite.Database>;

  private constructor(path: string, readOnly: boolean) {
    try {
      this.#database = new sqlite.Database(path, { readOnly });
      if (!readOnly) this.#database.exec(SCHEMA);
    } catch (error) {
      throw new PeriscopeError(`${path}: ${(error as Error).message}`);
    }
  }

  /** For the one process that writes. Throws `PeriscopeError`. */
  static open(store: string): IncidentIndex {
    const path = indexPath(store);
    mkdirSync(join(store, ".periscope"), { recursive: true });
    // This build locks by a directory, which a killed process leaves. That nobody else writes, the caller has made sure.
    rmSync(`${path}.lock`, { recursive: true, force: true });
    return new IncidentIndex(path, false);
  }

  /** For looking; undefined where no collector has been. */
  static read(store: string): IncidentIndex | undefined {
    const path = indexPath(store);
    return existsSync(path) ? new IncidentIndex(path, true) : undefined;
  }

  close(): void {
    this.#database.close();
  }

  /** Writes the incident and its hosts as they are now. */
  put(incident: Incident): void {
    const database = this.#database;
    database.exec("BEGIN");
    try {
      database.run(
        `INSERT INTO incident VALUES (?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET
         triggers = excluded.triggers, suppressed = excluded.suppressed, state = excluded.state,
         why = excluded.why, why_summary = excluded.why_summary`,
        [
          incident.id,
          incident.group,
          incident.cause,
          incident.host,
          String(incident.atNs),
          String(incident.receivedNs),
          JSON.stringify(incident.attributes),
          incident.triggers,
          incident.suppressed,
          incident.state,
          incident.why,
          incident.whySummary,
        ],
      );
      for (const host of incident.hosts.values()) {
        database.run("INSERT OR REPLACE INTO incident_host VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)", [
          incident.id,
          host.host,
          host.state,
          textOf(host.frozenNs),
          host.freezeMs ?? null,
          textOf(host.beginNs),
          textOf(host.endNs),
          host.eventRecords,
          host.lostEventRecords,
          host.bytes,
          host.clockOffsetNs ?? null,
          host.clockErrorNs ?? null,
          host.path,
          host.reason,
        ]);
      }
      database.exec("COMMIT");
    } catch (error) {
      if (database.inTransaction) database.exec("ROLLBACK");
      throw error;
    }
  }

  /** Newest first. */
  list(limit: number): Incident[] {
    const rows = this.#database.all("SELECT * FROM incident ORDER BY received_ns DESC, id DESC LIMIT ?", [
      limit,
    ]);
    return (rows as Row[]).map((row) => this.#incident(row));
  }

  get(id: string): Incident | undefined {
    const row = this.#database.get("SELECT * FROM incident WHERE id = ?", [id]);
    return row === null || row === undefined ? undefined : this.#incident(row as Row);
  }

  /** What a former run left unfinished. */
  unfinished(): Incident[] {
    const rows = this.#database.all(
      "SELECT * FROM incident WHERE state = 'saving' OR why IN ('waiting', 'running')",
    );
    return (rows as Row[]).map((row) => this.#incident(row));
  }

  /** Counts of a former run go on. */
  suppressed(): { group: string; reason: string; count: number }[] {
    const rows = this.#database.all("SELECT * FROM suppressed ORDER BY team, reason") as Row[];
    return rows.map((row) => ({
      group: String(row["team"]),
      reason: String(row["reason"]),
      count: Number(row["count"]),
    }));
  }

  putSuppressed(group: string, reason: string, count: number): void {
    this.#database.run("INSERT OR REPLACE INTO suppressed VALUES (?,?,?)", [group, reason, count]);
  }

  #incident(row: Row): Incident {
    const id = String(row["id"]);
    const hosts = this.#database.all("SELECT * FROM incident_host WHERE incident = ? ORDER BY host", [id]);
    return {
      id,
      group: String(row["team"]),
      cause: String(row["cause"]),
      host: String(row["host"]),
      atNs: BigInt(String(row["at_ns"])),
      receivedNs: BigInt(String(row["received_ns"])),
      attributes: JSON.parse(String(row["attributes"])),
      triggers: Number(row["triggers"]),
      suppressed: Number(row["suppressed"]),
      state: String(row["state"]) as IncidentState,
      why: String(row["why"]) as WhyState,
      whySummary: String(row["why_summary"]),
      hosts: new Map((hosts as Row[]).map((host) => [String(host["host"]), hostOf(host)])),
    };
  }
}

function hostOf(row: Row): IncidentHost {
  const moment = (name: string) => (row[name] === null ? undefined : BigInt(String(row[name])));
  const number = (name: string) => (row[name] === null ? undefined : Number(row[name]));
  return {
    host: String(row["host"]),
    state: String(row["state"]) as HostState,
    frozenNs: moment("frozen_ns"),
    freezeMs: number("freeze_ms"),
    beginNs: moment("begin_ns"),
    endNs: moment("end_ns"),
    eventRecords: Number(row["event_records"]),
    lostEventRecords: Number(row["lost"]),
    bytes: Number(row["bytes"]),
    clockOffsetNs: number("clock_offset_ns"),
    clockErrorNs: number("clock_error_ns"),
    path: String(row["path"]),
    reason: String(row["reason"]),
  };
}

function textOf(moment: bigint | undefined): string | null {
  return moment === undefined ? null : String(moment);
}
