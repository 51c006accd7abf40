/**
 * Chrome's JSON (Trace Event Format, "JSON Object Format"): for chrome://tracing, Speedscope, Perfetto. Moments are
 * microseconds since the trace's begin, with three decimals, so that nothing is rounded; the begin is told beside.
 */
import type { TextSink } from "./text-sink.js";
import type { Timeline } from "./timeline.js";
import { epochNs } from "./timeline.js";
import { type Track, type TrackSink, writeTracks } from "./tracks.js";

export function writeChrome(timeline: Timeline, out: TextSink): void {
  const { beginNs } = timeline.range;
  const us = (ns: number) => {
    const whole = Math.max(0, Math.round(ns - beginNs));
    return `${Math.floor(whole / 1000)}.${String(whole % 1000).padStart(3, "0")}`;
  };
  const at = ({ process, thread }: Track) => `"pid":${process},"tid":${thread}`;
  const text = JSON.stringify;
  let first = true;
  const put = (event: string): void => {
    out.write(first ? `\n{${event}}` : `,\n{${event}}`);
    first = false;
  };
  out.write(
    `{"displayTimeUnit":"ns","otherData":{"beginEpochNs":"${epochNs(timeline, beginNs)}"},"traceEvents":[`,
  );
  const sink: TrackSink = {
    process: (number, name) =>
      put(`"ph":"M","name":"process_name","pid":${number},"args":{"name":${text(name)}}`),
    track: (track) => {
      if (track.kind === "slices")
        put(`"ph":"M","name":"thread_name",${at(track)},"args":{"name":${text(track.name)}}`);
    },
    begin(track, ns, name, category, attributes, flow) {
      put(
        `"ph":"B","name":${text(name)},"cat":${text(category)},${at(track)},"ts":${us(ns)},"args":${text(attributes)}`,
      );
      if (flow !== undefined) {
        put(`"ph":"f","bp":"e","id":${flow},"name":"wake-up","cat":"wake-up",${at(track)},"ts":${us(ns)}`);
      }
    },
    end: (track, ns) => put(`"ph":"E",${at(track)},"ts":${us(ns)}`),
    instant: (track, ns, name, flow) =>
      put(
        `"ph":"s","id":${flow},"name":"wake-up","cat":"wake-up",${at(track)},"ts":${us(ns)},"args":{"what":${text(name)}}`,
      ),
    counter: (track, ns, value) =>
      put(
        `"ph":"C","name":${text(track.name)},"pid":${track.process},"ts":${us(ns)},"args":{"value":${value}}`,
      ),
  };
  writeTracks(timeline, sink);
  out.write("\n]}\n");
}
