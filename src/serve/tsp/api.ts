/**
 * The Trace Server Protocol 0.6.0 over HTTP: finds who answers a request, and words replies and errors as the protocol
 * has them. Where the published client differs from the specification, both are accepted.
 */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import { cpus, platform, release, totalmem } from "node:os";
import { fileURLToPath } from "node:url";
import { exactJson } from "../../present/lami.js";
import { version } from "../../version.js";
import { uuidOf } from "../experiment.js";
import type { HistoryInfo } from "../history-service.js";
import { HttpError, notFound, type Reply, type Request } from "../http.js";
import type { Configuration } from "./model.js";
import { CONFIGURATION_TYPES } from "./outputs.js";
import type { Asked, Provider } from "./provider.js";
import type { Bookmark, ExperimentEntry, Registry, TraceEntry } from "./registry.js";
import {
  bigintOf,
  itemsOf,
  objectOf,
  optionalRange,
  type Parameters,
  parametersOf,
  pointOf,
  rangeOf,
  textOf,
  timeOf,
} from "./request.js";

export const TSP_VERSION = "0.6.0";

function reply(value: unknown, status = 200): Reply {
  return { status, type: "application/json", body: exactJson(value) };
}

const completed = (model: unknown): Reply =>
  reply({ model, statusMessage: "Completed", status: "COMPLETED" });
/** What is there is told, more may come: clients ask again. */
const running = (model: unknown): Reply => reply({ model, statusMessage: "Running", status: "RUNNING" });

export async function traceServer(registry: Registry, request: Request): Promise<Reply> {
  try {
    return await route(registry, request);
  } catch (error) {
    if (error instanceof HttpError) {
      const extra = await wholeOf(registry, error.extra);
      return reply({ title: error.message, detail: error.detail, ...extra }, error.status);
    }
    throw error;
  }
}

/** Conflicts tell what is there already. */
async function wholeOf(registry: Registry, extra: Readonly<Record<string, unknown>>): Promise<object> {
  const { trace, experiment } = extra as { trace?: string; experiment?: string };
  if (trace !== undefined) return { trace: await traceModel(registry, registry.trace(trace)) };
  if (experiment !== undefined)
    return { experiment: await experimentModel(registry, registry.experiment(experiment)) };
  return {};
}

async function route(registry: Registry, request: Request): Promise<Reply> {
  const [what, ...rest] = request.path;
  switch (what) {
    case "health":
      only(request, "GET");
      return reply({ status: "UP" });
    case "identifier":
      only(request, "GET");
      return reply({
        version,
        tspVersion: TSP_VERSION,
        productId: "periscope",
        os: platform(),
        osArch: process.arch,
        osVersion: release(),
        cpuCount: cpus().length,
        maxMemory: totalmem(),
        launcherName: "periscope serve",
      });
    case "traces":
      return traces(registry, request, rest);
    case "experiments":
      return experiments(registry, request, rest);
    case "config":
      return configurations(registry, request, rest);
    default:
      throw notFound(`resource /${request.path.join("/")}`);
  }
}

function only(request: Request, ...methods: readonly string[]): void {
  if (!methods.includes(request.method)) {
    throw new HttpError(405, `Method ${request.method} is not allowed`, `expected ${methods.join(" or ")}`);
  }
}

// --- traces and experiments ---

async function traces(registry: Registry, request: Request, [uuid]: readonly string[]): Promise<Reply> {
  if (uuid !== undefined) {
    only(request, "GET", "DELETE");
    const trace = registry.trace(uuid);
    const model = await traceModel(registry, trace);
    if (request.method === "DELETE") registry.removeTrace(uuid);
    return reply(request.method === "DELETE" ? { ...model, indexingStatus: "CLOSED" } : model);
  }
  only(request, "GET", "POST");
  if (request.method === "GET") {
    return reply(
      await Promise.all([...registry.traces.values()].map((trace) => traceModel(registry, trace))),
    );
  }
  const parameters = parametersOf(request.body);
  const path = pathOf(textOf(parameters["uri"], "uri"));
  const { name, typeID } = parameters;
  if (typeof typeID === "string" && typeID !== "" && !TRACE_TYPES.has(typeID)) {
    throw new HttpError(501, "Trace type not supported", `typeID: expected ${[...TRACE_TYPES].join(", ")}`);
  }
  const trace = await registry.importTrace(
    path,
    typeof name === "string" && name !== "" ? name : lastOf(path),
  );
  return reply(await traceModel(registry, trace));
}

/** Those of Trace Compass that are CTF traces: what a trace is it says itself. */
const TRACE_TYPES: ReadonlySet<string> = new Set([
  "org.eclipse.linuxtools.tmf.ui.type.ctf",
  "org.eclipse.linuxtools.lttng2.kernel.tracetype",
  "org.eclipse.linuxtools.lttng2.ust.tracetype",
]);

const lastOf = (path: string): string => path.replace(/\/+$/, "").split("/").at(-1) ?? path;

/** A path on this machine, or a URL of one. */
function pathOf(uri: string): string {
  if (!uri.startsWith("file:")) return uri;
  try {
    return fileURLToPath(uri);
  } catch (error) {
    throw new HttpError(400, "Invalid query parameters", `uri: ${(error as Error).message}`);
  }
}

async function traceModel(registry: Registry, trace: TraceEntry): Promise<object> {
  const { name, path, uuid: UUID } = trace;
  const users = [...registry.experiments.values()].filter(({ traces: own }) => own.includes(trace));
  const alone = users.find(({ traces: own }) => own.length === 1);
  const info = users[0] === undefined ? undefined : await infoOf(alone ?? users[0]);
  const facts = alone === undefined ? await registry.facts(trace).catch(() => undefined) : info;
  const properties =
    facts === undefined ? {} : { hostname: facts.hosts.join(", "), clock_offset: String(facts.originNs) };
  const told = { name, path, UUID, properties };
  if (info === undefined || facts === undefined) {
    // As the protocol's server has it: nothing is indexed of what nobody opened.
    return { ...told, ...extentOf(undefined), indexingStatus: "CLOSED" };
  }
  if (alone !== undefined) {
    return { ...told, ...extentOf(info), indexingStatus: info.complete ? "COMPLETED" : "RUNNING" };
  }
  // Of an experiment of several traces only the sum is known.
  const own = registry.eventRecords(trace);
  return {
    ...told,
    ...extentOf({ ...facts, beginNs: own?.beginNs ?? facts.beginNs, eventRecords: own?.count ?? 0 }),
    indexingStatus: info.complete && own !== undefined ? "COMPLETED" : "RUNNING",
  };
}

type Extent = Pick<HistoryInfo, "originNs" | "beginNs" | "endNs" | "eventRecords">;

function extentOf(info: Extent | undefined): { nbEvents: number; start: bigint; end: bigint } {
  if (info === undefined) return { nbEvents: 0, start: 0n, end: 0n };
  const at = (ns: number): bigint => (Number.isNaN(ns) ? 0n : info.originNs + BigInt(Math.round(ns)));
  return { nbEvents: info.eventRecords, start: at(info.beginNs), end: at(info.endNs) };
}

/** What is known; undefined where the traces cannot be read. */
async function infoOf({ open }: ExperimentEntry): Promise<HistoryInfo | undefined> {
  return open.info().catch(() => undefined);
}

async function experimentModel(registry: Registry, entry: ExperimentEntry): Promise<object> {
  const info = await infoOf(entry);
  return {
    name: entry.name,
    UUID: entry.uuid,
    ...extentOf(info),
    indexingStatus: info === undefined ? "CLOSED" : info.complete ? "COMPLETED" : "RUNNING",
    traces: await Promise.all(entry.traces.map((trace) => traceModel(registry, trace))),
  };
}

async function experiments(registry: Registry, request: Request, path: readonly string[]): Promise<Reply> {
  const [uuid, what, ...rest] = path;
  if (uuid === undefined) {
    only(request, "GET", "POST");
    if (request.method === "GET") {
      return reply(
        await Promise.all([...registry.experiments.values()].map((one) => experimentModel(registry, one))),
      );
    }
    return create(registry, parametersOf(request.body));
  }
  const entry = registry.experiment(uuid);
  if (what === undefined) {
    // The published client knows an update, too.
    only(request, "GET", "DELETE", "PUT");
    if (request.method === "PUT")
      return reply(await experimentModel(registry, update(registry, entry, request)));
    const model = await experimentModel(registry, entry);
    if (request.method === "DELETE") registry.removeExperiment(uuid);
    return reply(request.method === "DELETE" ? { ...model, indexingStatus: "CLOSED" } : model);
  }
  if (what === "bookmarks") return bookmarks(entry, request, rest);
  if (what === "outputs") return outputs(entry, request, rest);
  throw notFound(`resource ${what}`);
}

async function create(registry: Registry, parameters: Parameters): Promise<Reply> {
  const name = textOf(parameters["name"], "name");
  const wanted = parameters["traces"];
  if (!Array.isArray(wanted) || wanted.length === 0) {
    throw new HttpError(400, "Invalid query parameters", "traces: expected an array of UUIDs");
  }
  const found = wanted.map((uuid) => registry.traces.get(String(uuid)));
  // As the protocol has it: a trace that is not there yet is no error.
  if (found.some((trace) => trace === undefined)) return { status: 204, type: "application/json", body: "" };
  for (const { path } of found as TraceEntry[]) {
    if (!existsSync(path)) throw new HttpError(404, "No such trace", `${path}: it is there no more`);
  }
  const entry = registry.addExperiment(name, found as TraceEntry[]);
  return reply(await experimentModel(registry, entry));
}

/**
 * The proposed protocol has the name in the query and changes of traces in the body, the published client all in
 * `parameters`, with traces as a list of UUIDs like in a new experiment's.
 */
function update(registry: Registry, entry: ExperimentEntry, { body, query }: Request): ExperimentEntry {
  const whole = body === "" ? {} : objectOf(body);
  const given = (whole["parameters"] === undefined ? whole : parametersOf(body)) as Parameters;
  const name = query.get("name") ?? given["name"];
  let traces = entry.traces;
  const { traces: wanted } = given;
  if (wanted !== undefined) {
    if (!Array.isArray(wanted)) throw wrongTraces();
    if (wanted.every((one) => typeof one === "string")) traces = wanted.map((one) => registry.trace(one));
    else for (const change of wanted) traces = changed(registry, traces, change);
    if (traces.length === 0) throw wrongTraces();
  }
  return registry.updateExperiment(
    entry.uuid,
    name === undefined ? entry.name : textOf(name, "name"),
    traces,
  );
}

function wrongTraces(): HttpError {
  return new HttpError(
    400,
    "Invalid query parameters",
    "traces: expected UUIDs, or objects with traceUUID and action (add or remove), of which some trace is left",
  );
}

function changed(registry: Registry, traces: readonly TraceEntry[], change: unknown): readonly TraceEntry[] {
  const { traceUUID, action = "add", timeOffset = 0 } = (change ?? {}) as Record<string, unknown>;
  if (typeof traceUUID !== "string" || (action !== "add" && action !== "remove")) throw wrongTraces();
  if (Number(timeOffset) !== 0) {
    throw new HttpError(
      501,
      "Offsets of time are not supported",
      "clocks of hosts are aligned by their packets",
    );
  }
  const trace = registry.trace(traceUUID);
  if (action === "remove") return traces.filter((one) => one !== trace);
  return traces.includes(trace) ? traces : [...traces, trace];
}

// --- bookmarks ---

function bookmarks({ bookmarks: all }: ExperimentEntry, request: Request, [uuid]: readonly string[]): Reply {
  if (uuid === undefined) {
    only(request, "GET", "POST");
    if (request.method === "GET") return reply([...all.values()]);
    // Two bookmarks may say the same.
    const made = bookmarkOf(request.body, randomUUID());
    all.set(made.uuid, made);
    return reply(made);
  }
  only(request, "GET", "PUT", "DELETE");
  const known = all.get(uuid);
  if (known === undefined) throw notFound(`bookmark ${uuid}`);
  if (request.method === "GET") return reply(known);
  if (request.method === "DELETE") {
    all.delete(uuid);
    return reply(known);
  }
  const changed = bookmarkOf(request.body, uuid);
  all.set(uuid, changed);
  return reply(changed);
}

function bookmarkOf(body: string, uuid: string): Bookmark {
  const parameters = parametersOf(body);
  const start = bigintOf(parameters["start"], "start");
  const end = bigintOf(parameters["end"], "end");
  if (end < start) throw new HttpError(400, "Invalid query parameters", "expected start before end");
  return { uuid, name: textOf(parameters["name"], "name"), start, end };
}

// --- outputs ---

const FORMS = new Set(["timeGraph", "XY", "genericXY", "table", "data"]);

async function outputs(entry: ExperimentEntry, request: Request, path: readonly string[]): Promise<Reply> {
  const [first, second, third] = path;
  const all = entry.outputs;
  if (first === undefined) {
    only(request, "GET");
    return reply(all.all().map(({ description }) => description));
  }
  if (first === "markerSets" && second === undefined) {
    only(request, "GET");
    return completed([{ id: "holes", name: "Lost event records" }]);
  }
  if (FORMS.has(first) && second !== undefined) {
    const provider = all.find(second);
    // The published client asks XY charts for tooltips.
    only(request, "POST", "GET");
    return data(entry, provider, first, third ?? "", request);
  }
  const provider = all.find(first);
  switch (second) {
    case undefined:
      only(request, "GET", "POST");
      if (request.method === "GET") return reply(provider.description);
      return reply((await all.derive(first, configurationOf(objectOf(request.body)))).description);
    case "style":
      only(request, "POST");
      parametersOf(request.body);
      if (provider.styles === undefined) throw new HttpError(405, "This output has no styles", first);
      return completed({ styles: provider.styles() });
    case "annotations":
      return annotations(entry, provider, request);
    case "configTypes": {
      only(request, "GET");
      const types = CONFIGURATION_TYPES.filter(({ parent }) => parent === first).map(withoutParent);
      if (third === undefined) return reply(types);
      const type = types.find(({ id }) => id === third);
      if (type === undefined) throw notFound(`configuration type ${third}`);
      return reply(type);
    }
    default:
      only(request, "DELETE");
      return reply(all.remove(second).description);
  }
}

const withoutParent = ({ parent: _parent, ...type }: (typeof CONFIGURATION_TYPES)[number]) => type;

async function askedOf(entry: ExperimentEntry, parameters: Parameters): Promise<Asked> {
  return { experiment: entry.open, info: await entry.open.info(), parameters };
}

async function data(
  entry: ExperimentEntry,
  provider: Provider,
  form: string,
  what: string,
  request: Request,
): Promise<Reply> {
  const parameters = request.method === "GET" ? {} : parametersOf(request.body);
  const asked = await askedOf(entry, parameters);
  const { originNs, complete } = asked.info;
  const isA = (type: string): void => {
    if (provider.description.type !== type) {
      throw new HttpError(405, `This output is no ${type}`, provider.description.id);
    }
  };
  const done = complete ? completed : running;
  switch (`${form}/${what}`) {
    case "timeGraph/tree":
      isA("TIME_GRAPH");
      return done(await provider.tree!(asked, optionalRange(parameters, originNs)));
    case "timeGraph/states":
      isA("TIME_GRAPH");
      return done({
        rows: await provider.states!(asked, rangeOf(parameters, originNs), itemsOf(parameters)),
      });
    case "timeGraph/arrows":
      isA("TIME_GRAPH");
      return done((await provider.arrows?.(asked, rangeOf(parameters, originNs))) ?? []);
    case "timeGraph/tooltip": {
      isA("TIME_GRAPH");
      const [item] = itemsOf(parameters);
      if (item === undefined)
        throw new HttpError(400, "Invalid query parameters", "requested_items: expected one id");
      return completed((await provider.tooltip?.(asked, timeOf(parameters, originNs), item)) ?? {});
    }
    case "XY/tree":
      isA("TREE_TIME_XY");
      return done(await provider.tree!(asked, optionalRange(parameters, originNs)));
    case "XY/xy":
      isA("TREE_TIME_XY");
      return done(await provider.xy!(asked, rangeOf(parameters, originNs), itemsOf(parameters)));
    case "XY/tooltip":
      isA("TREE_TIME_XY");
      return completed((await provider.pointTooltip?.(asked, pointOf(request.query, originNs))) ?? {});
    case "genericXY/tree":
      isA("TREE_GENERIC_XY");
      return done(await provider.tree!(asked, optionalRange(parameters, originNs)));
    case "genericXY/xy":
      isA("TREE_GENERIC_XY");
      return done(await provider.xy!(asked, rangeOf(parameters, originNs), itemsOf(parameters)));
    case "data/tree":
      isA("DATA_TREE");
      return done(await provider.tree!(asked, optionalRange(parameters, originNs)));
    case "table/columns":
      isA("TABLE");
      return completed(provider.columns!());
    case "table/lines":
      isA("TABLE");
      return completed(await provider.lines!(asked));
    default:
      throw notFound(`resource ${form}/${what}`);
  }
}

/** Marks where event records are lost. */
async function annotations(entry: ExperimentEntry, provider: Provider, request: Request): Promise<Reply> {
  only(request, "GET", "POST");
  const categories = provider.categories ?? [];
  if (request.method === "GET") {
    const marked = request.query.get("markerSetId") === "holes" ? ["Lost event records"] : [];
    return completed({ annotationCategories: [...categories, ...marked] });
  }
  const parameters = parametersOf(request.body);
  const asked = await askedOf(entry, parameters);
  const range = rangeOf(parameters, asked.info.originNs);
  const found: Record<string, unknown> = { ...((await provider.annotations?.(asked, range)) ?? {}) };
  if (parameters["requested_marker_set"] === "holes") {
    const holes = await entry.open.history.holes();
    found["Lost event records"] = holes
      .filter(({ beginNs, endNs }) => endNs >= range.beginNs && beginNs <= range.endNs)
      .map(({ beginNs, endNs, count }) => ({
        time: asked.info.originNs + BigInt(Math.round(beginNs)),
        duration: BigInt(Math.max(0, Math.round(endNs - beginNs))),
        entryId: -1,
        type: "CHART",
        label: `${count} lost`,
        style: { values: { color: "#d55e00", opacity: 0.4 } },
      }));
  }
  return completed({ annotations: found });
}

// --- configurations ---

function configurationOf(body: Parameters): Omit<Configuration, "id"> {
  const { name, description, sourceTypeId, parameters = {} } = body as Record<string, unknown>;
  if (typeof parameters !== "object" || parameters === null || Array.isArray(parameters)) {
    throw new HttpError(400, "Invalid configuration", "parameters: expected an object");
  }
  return {
    name: textOf(name, "name"),
    ...(typeof description === "string" ? { description } : {}),
    sourceTypeId: textOf(sourceTypeId, "sourceTypeId"),
    parameters: parameters as Record<string, unknown>,
  };
}

function configurations(registry: Registry, request: Request, path: readonly string[]): Reply {
  const [types, typeId, configs, id] = path;
  if (types !== "types") throw notFound(`resource config/${path.join("/")}`);
  if (typeId === undefined) {
    only(request, "GET");
    return reply(CONFIGURATION_TYPES.map(withoutParent));
  }
  const type = CONFIGURATION_TYPES.find((one) => one.id === typeId);
  if (type === undefined) throw notFound(`configuration type ${typeId}`);
  let all = registry.configurations.get(typeId);
  if (all === undefined) registry.configurations.set(typeId, (all = new Map()));
  // The published client creates at the type itself, the specification at its `configs`.
  if (configs === undefined && request.method === "GET") return reply(withoutParent(type));
  if (id === undefined) {
    only(request, "GET", "POST");
    if (request.method === "GET") return reply([...all.values()]);
    const given = configurationOf({ ...objectOf(request.body), sourceTypeId: typeId });
    const made = { id: uuidOf(`${typeId} ${given.name}`), ...given };
    all.set(made.id, made);
    return reply(made);
  }
  only(request, "GET", "PUT", "DELETE");
  const known = all.get(id);
  if (known === undefined) throw notFound(`configuration ${id}`);
  if (request.method === "DELETE") all.delete(id);
  if (request.method !== "PUT") return reply(known);
  const changed = { id, ...configurationOf({ ...objectOf(request.body), sourceTypeId: typeId }) };
  all.set(id, changed);
  return reply(changed);
}
