/** TSDL of a written trace. Field names get the underscore that CTF 1.8 readers take off again. */
import type { ClockSpec, FieldSpec, FieldSpecs, TraceSpec } from "./schema.js";

/** A TSDL string literal. */
function literal(text: string): string {
  const escaped = text
    .replace(/[\\"]/g, "\\$&")
    .replace(/\n/g, "\\n")
    .replace(/[\u0000-\u001f\u007f]/g, " ");
  return `"${escaped}"`;
}

function integer(size: number, signed: boolean, more = "base = 10"): string {
  return `integer { size = ${size}; align = 8; signed = ${signed}; encoding = none; ${more}; }`;
}

function fieldText(name: string, spec: FieldSpec): string {
  switch (spec.type) {
    case "integer":
      return `${integer(spec.size, spec.signed, `base = ${spec.base ?? 10}`)} _${name};`;
    case "enumeration": {
      const labels = spec.labels.map(({ name: label, from, to }) =>
        from === to ? `${literal(label)} = ${from}` : `${literal(label)} = ${from} ... ${to}`,
      );
      return `enum : ${integer(spec.size, spec.signed)} { ${labels.join(", ")} } _${name};`;
    }
    case "string":
      return `string { encoding = UTF8; } _${name};`;
    case "text":
      return `integer { size = 8; align = 8; signed = true; encoding = UTF8; base = 10; } _${name}[${spec.bytes}];`;
    case "array": {
      const { size, signed, base } = spec.element;
      return `${integer(size, signed, `base = ${base ?? 10}`)} _${name}[${spec.length}];`;
    }
    case "sequence": {
      const { size, signed, base } = spec.element;
      return `${integer(32, false)} __${name}_length;\n\t\t${integer(size, signed, `base = ${base ?? 10}`)} _${name}[ __${name}_length ];`;
    }
  }
}

function structText(fields: FieldSpecs): string {
  const lines = Object.entries(fields).map(([name, spec]) => `\t\t${fieldText(name, spec)}\n`);
  return `struct {\n${lines.join("")}\t}`;
}

/** Everything but the event record classes, which follow as they are made. */
export function headText({ environment, clock, context }: TraceSpec, uuid: string): string {
  const env = Object.entries(environment).map(
    ([key, value]) => `\t${key} = ${typeof value === "number" ? value : literal(value)};\n`,
  );
  const int = (size: number, align = 8) => `integer { size = ${size}; align = ${align}; signed = false; }`;
  const mapped = (size: number) =>
    `integer { size = ${size}; align = 8; signed = false; map = clock.${clock.name}.value; }`;
  return `/* CTF 1.8 */

trace {
	major = 1;
	minor = 8;
	uuid = ${literal(uuid)};
	byte_order = le;
	packet.header := struct {
		${int(32)} magic;
		${int(8)} uuid[16];
		${int(32)} stream_id;
		${int(64)} stream_instance_id;
	};
};

env {
${env.join("")}};

${clockText(clock)}
stream {
	id = 0;
	packet.context := struct {
		${mapped(64)} timestamp_begin;
		${mapped(64)} timestamp_end;
		${int(64)} content_size;
		${int(64)} packet_size;
		${int(64)} packet_seq_num;
		${int(64)} events_discarded;
		${int(32)} cpu_id;
	};
	event.header := struct {
		enum : ${int(16)} { compact = 0 ... 65534, extended = 65535 } id;
		variant <id> {
			struct {
				${mapped(32)} timestamp;
			} compact;
			struct {
				${int(32)} id;
				${mapped(64)} timestamp;
			} extended;
		} v;
	} align(8);
	event.context := ${structText(context)};
};
`;
}

function clockText({ name, description, uuid, frequency, offset }: ClockSpec): string {
  return `clock {
	name = ${name};
${uuid === undefined ? "" : `\tuuid = ${literal(uuid)};\n`}${description === undefined ? "" : `\tdescription = ${literal(description)};\n`}	freq = ${frequency};
	offset_s = ${offset / frequency};
	offset = ${offset % frequency};
};
`;
}

export function eventText(id: number, name: string, fields: FieldSpecs): string {
  return `
event {
	name = ${literal(name)};
	id = ${id};
	stream_id = 0;
	fields := ${structText(fields)};
};
`;
}
