/** The thread that reads an experiment's traces again for what a history does not keep: periods, events, explanations. */
import { fitProfiles, specialFit } from "../analyses/profile-fit.js";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { alignedTraces } from "../explain/aligned.js";
import { collectInstances } from "../explain/instances.js";
import { explainThread, type ThreadTime, threadByTid } from "../explain/thread-time.js";
import { explainPeriods } from "../explain/why.js";
import { collectPeriods, dataOf, type PeriodTableData } from "../history/period-table.js";
import { definePeriods, type PeriodArguments } from "../periods/define.js";
import { ClockText } from "../present/clock-text.js";
import { whyText } from "../present/why-text.js";
import { allProfiles } from "../profiles/find.js";
import { periodArguments } from "../profiles/profile.js";
import type { CtfSource } from "../sources/ctf.js";
import { EventLog, type EventPage, type EventQuery } from "./event-log.js";

export interface ReadingTask {
  readonly paths: readonly string[];
  /** Definitions given by the user; none: the profile that fits best. */
  readonly periods: PeriodArguments | undefined;
  readonly profile: string;
  /** Folder of the profiles that come with Periscope. */
  readonly profiles: string;
  /** It may wait: whoever looks at the first picture goes first. */
  readonly background?: boolean;
}

/** What traces say of themselves before they are read. */
export interface TraceFacts {
  readonly hosts: readonly string[];
  /** Epoch ns of moment 0. */
  readonly originNs: bigint;
  /** NaN where the packets do not tell. */
  readonly beginNs: number;
  readonly endNs: number;
}

const WIDTH = 96;

export class ReadingService {
  readonly #task: ReadingTask;
  readonly #open: () => CtfSource;
  #definitions: PeriodArguments | undefined;
  #events: EventLog | undefined;

  constructor(task: ReadingTask) {
    this.#task = task;
    this.#definitions = task.periods;
    this.#open = alignedTraces(task.paths).open;
  }

  /** Throws `PeriscopeError` where there is nothing that can be read. */
  facts(): TraceFacts {
    const { info, failures } = this.#open();
    if (info.traces.length === 0) throw new PeriscopeError(failures.join("; "));
    const { hosts, originNs, beginNs, endNs } = info;
    return { hosts: hosts.map(({ name }) => name), originNs, beginNs, endNs };
  }

  /** All instances of the periods; undefined: no profile fits. */
  periods(): PeriodTableData | undefined {
    let { profile } = this.#task;
    if (this.#definitions === undefined) {
      const profiles = allProfiles(this.#task.profiles, () => {});
      const best = specialFit(fitProfiles(this.#open(), profiles));
      if (best === undefined) return undefined;
      this.#definitions = periodArguments(best.profile, {});
      profile = best.profile.name;
    }
    return dataOf(collectPeriods(this.#open(), definePeriods(this.#definitions), profile));
  }

  /** Definitions of the periods, for another reader of the same traces. */
  useDefinitions(definitions: PeriodArguments | undefined): void {
    this.#definitions = definitions;
  }

  definitions(): PeriodArguments | undefined {
    return this.#definitions;
  }

  /** `periscope why` for the instances of a period that are at least as long as one of them. */
  why(path: string, number: number): string[] {
    if (this.#definitions === undefined) throw new UsageError("no periods are defined");
    const periods = definePeriods(this.#definitions);
    const found = collectInstances(this.#open(), periods, { path }).byPath.get(path);
    const index = found?.find(number) ?? -1;
    if (found === undefined || index < 0) throw new UsageError(`no instance ${number} of ${path}`);
    const one = found.at(index);
    const thresholdNs = Math.max(1, one.endNs - one.beginNs - 1);
    const why = explainPeriods(this.#open, periods, { path, thresholdNs });
    const source = this.#open();
    const clock = new ClockText({ gmt: false, date: false });
    const hosts = source.info.hosts.length > 1;
    const options = { width: WIDTH, color: false, clock: (ns: bigint) => clock.format(ns), hosts };
    return why.periods.flatMap((period) => whyText(period, { ...options, more: () => [] }));
  }

  /** Where the time of a thread went in a range, waits followed to whoever ended them. */
  critical(host: string, tid: number, beginNs: number, endNs: number): ThreadTime {
    const { time } = explainThread(
      this.#open(),
      { beginNs, endNs },
      threadByTid(tid, host === "" ? undefined : host),
      {
        follow: true,
      },
    );
    if (time === undefined) throw new PeriscopeError(`no thread ${tid} in this range`);
    return time;
  }

  events(query: EventQuery): EventPage {
    this.#events ??= new EventLog(this.#open);
    return this.#events.page(query);
  }
}
