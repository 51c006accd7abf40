/**
 * LTTng's session profile (`lttng load`) with the events that Periscope needs: for machines on which LTTng records
 * without Periscope. Format: lttng-tools' session.xsd.
 */
import { lttngEvents } from "./lttng/events.js";
import type { EventSelection } from "./recorder.js";

function xml(text: string): string {
  return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

export interface ProfileOptions {
  /** Name of the session. */
  readonly name: string;
  readonly events: EventSelection;
  /** Bytes per CPU. */
  readonly bufferBytes: number;
  /** Where the trace goes. LTTng accepts a session without, and records nothing then. */
  readonly directory: string;
}

const SUBBUFFERS = 8;
/** Where nothing runs, half-filled buffers are written after this time. */
const READ_TIMER_US = 200_000;

export function sessionProfile({ name, events, bufferBytes, directory }: ProfileOptions): string {
  const { calls, points } = lttngEvents(events);
  const event = (type: string, of?: string) =>
    `              <event>${of === undefined ? "" : `<name>${xml(of)}</name>`}<enabled>true</enabled><type>${type}</type></event>`;
  const rows = [
    ...(calls === "all" ? [event("SYSCALL")] : calls.map((call) => event("SYSCALL", call))),
    ...points.map((point) => event("TRACEPOINT", point)),
  ];
  const contexts = ["PID", "TID", "PROCNAME"].map(
    (type) => `              <context><type>${type}</type></context>`,
  );
  const bytes = 2 ** Math.floor(Math.log2(Math.max(bufferBytes / SUBBUFFERS, 4096)));
  return `<?xml version="1.0" encoding="UTF-8"?>
<sessions>
  <session>
    <name>${xml(name)}</name>
    <domains>
      <domain>
        <type>KERNEL</type>
        <buffer_type>GLOBAL</buffer_type>
        <channels>
          <channel>
            <name>periscope</name>
            <enabled>true</enabled>
            <overwrite_mode>DISCARD</overwrite_mode>
            <subbuffer_size>${bytes}</subbuffer_size>
            <subbuffer_count>${SUBBUFFERS}</subbuffer_count>
            <switch_timer_interval>0</switch_timer_interval>
            <read_timer_interval>${READ_TIMER_US}</read_timer_interval>
            <output_type>SPLICE</output_type>
            <tracefile_size>0</tracefile_size>
            <tracefile_count>0</tracefile_count>
            <live_timer_interval>0</live_timer_interval>
            <events>
${rows.join("\n")}
            </events>
            <contexts>
${contexts.join("\n")}
            </contexts>
          </channel>
        </channels>
      </domain>
    </domains>
    <started>false</started>
    <output>
      <consumer_output>
        <enabled>true</enabled>
        <destination>
          <path>${xml(directory)}</path>
        </destination>
      </consumer_output>
    </output>
  </session>
</sessions>
`;
}
