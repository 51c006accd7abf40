/**
 * Perfetto's trace (protobuf), for ui.perfetto.dev and trace_processor: track events on tracks of processes and
 * threads. Field numbers are those of Perfetto's published `trace_packet.proto`, `track_descriptor.proto` and
 * `track_event.proto`. Timestamps are nanoseconds since the Unix epoch, exact: a snapshot says that the trace's own clock
 * (boot time) and the time of day are the same.
 */
import { Message } from "./protobuf.js";
import type { FileSink } from "./text-sink.js";
import { epochNs, type Timeline } from "./timeline.js";
import { type Track, type TrackSink, writeTracks } from "./tracks.js";

const TRACE = { packet: 1 };
const PACKET = { clocks: 6, timestamp: 8, sequence: 10, trackEvent: 11, sequenceFlags: 13, track: 60 };
const CLOCKS = { clock: 1, id: 1, timestamp: 2 };
const TRACK = { uuid: 1, name: 2, process: 3, thread: 4, parent: 5, counter: 8 };
const PROCESS = { pid: 1, name: 6 };
const THREAD = { pid: 1, tid: 2, name: 5 };
const EVENT = { annotations: 4, type: 9, track: 11, categories: 22, name: 23, counterValue: 30, flows: 47 };
const ANNOTATION = { integer: 4, string: 6, name: 10 };
const TYPE = { begin: 1, end: 2, instant: 3, counter: 4 };
const SEQUENCE = 1;
const INCREMENTAL_STATE_CLEARED = 1;
/** BUILTIN_CLOCK_REALTIME, BUILTIN_CLOCK_BOOTTIME. */
const BUILTIN_CLOCKS = [1, 6];
/** Tracks of processes are numbered apart from those of threads. */
const PROCESS_TRACKS = 2 ** 40;

/** Answers how many packets were written. */
export function writePerfetto(timeline: Timeline, out: FileSink): number {
  let packets = 0;
  const packet = (write: (packet: Message) => void): void => {
    const message = new Message();
    write(message);
    message.integer(PACKET.sequence, SEQUENCE);
    if (packets++ === 0) message.integer(PACKET.sequenceFlags, INCREMENTAL_STATE_CLEARED);
    out.bytes(new Message().bytes(TRACE.packet, message.take()).take());
  };
  const event = (ns: number, write: (event: Message) => void): void =>
    packet((one) => one.integer(PACKET.timestamp, epochNs(timeline, ns)).message(PACKET.trackEvent, write));
  packet((one) =>
    one.message(PACKET.clocks, (snapshot) => {
      for (const id of BUILTIN_CLOCKS) {
        snapshot.message(CLOCKS.clock, (clock) =>
          clock.integer(CLOCKS.id, id).integer(CLOCKS.timestamp, epochNs(timeline, timeline.range.beginNs)),
        );
      }
    }),
  );
  const sink: TrackSink = {
    process: (number, name) =>
      packet((one) =>
        one.message(PACKET.track, (track) =>
          track
            .integer(TRACK.uuid, PROCESS_TRACKS + number)
            .message(TRACK.process, (process) =>
              process.integer(PROCESS.pid, number).string(PROCESS.name, name),
            ),
        ),
      ),
    track: (made) => packet((one) => one.message(PACKET.track, (track) => describe(made, track))),
    begin(track, ns, name, category, attributes, flow) {
      event(ns, (one) => {
        for (const [key, value] of Object.entries(attributes)) {
          one.message(EVENT.annotations, (annotation) => {
            if (typeof value === "string") annotation.string(ANNOTATION.string, value);
            // Negative numbers take all 64 bits.
            else annotation.integer(ANNOTATION.integer, BigInt.asUintN(64, BigInt(Math.trunc(value))));
            annotation.string(ANNOTATION.name, key);
          });
        }
        one.integer(EVENT.type, TYPE.begin).integer(EVENT.track, track.id);
        one.string(EVENT.categories, category).string(EVENT.name, name);
        if (flow !== undefined) one.fixed64(EVENT.flows, flow);
      });
    },
    end: (track, ns) => event(ns, (one) => one.integer(EVENT.type, TYPE.end).integer(EVENT.track, track.id)),
    instant: (track, ns, name, flow) =>
      event(ns, (one) =>
        one
          .integer(EVENT.type, TYPE.instant)
          .integer(EVENT.track, track.id)
          .string(EVENT.categories, "wake-up")
          .string(EVENT.name, name)
          .fixed64(EVENT.flows, flow),
      ),
    counter: (track, ns, value) =>
      event(ns, (one) =>
        one
          .integer(EVENT.type, TYPE.counter)
          .integer(EVENT.track, track.id)
          .integer(EVENT.counterValue, value),
      ),
  };
  writeTracks(timeline, sink);
  return packets;
}

function describe({ id, kind, name, process, thread }: Track, track: Message): void {
  track.integer(TRACK.uuid, id).integer(TRACK.parent, PROCESS_TRACKS + process);
  if (kind === "counter") track.string(TRACK.name, name).message(TRACK.counter, () => {});
  else {
    track.message(TRACK.thread, (one) =>
      one.integer(THREAD.pid, process).integer(THREAD.tid, thread).string(THREAD.name, name),
    );
  }
}
