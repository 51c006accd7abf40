// A longer trace made of a real one: copies of it, each with a UUID and clock of its own, that follow each other.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

const NS_PER_S = 1_000_000_000n;

/** Copies `trace` (one LTTng trace of `seconds` s) `times` times below `into`, one after the other in time. */
export function repeatTrace(trace, times, seconds, into) {
  for (let i = 0; i < times; i++) {
    const digit = "123456789"[i];
    const changed = (uuid) => `${digit.repeat(8)}${uuid.slice(8)}`;
    const bytesOf = (uuid) => Buffer.from(uuid.replaceAll("-", ""), "hex");
    const files = readdirSync(trace, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    const paths = files.map((entry) => join(entry.parentPath ?? entry.path, entry.name));
    const metadata = readFileSync(
      paths.find((path) => path.endsWith("/metadata")),
      "latin1",
    );
    const uuids = [...metadata.matchAll(/\tuuid = "([0-9a-f-]{36})";/g)].map((match) => match[1]);
    for (const path of paths) {
      const target = join(into, String(i), path.slice(trace.length));
      mkdirSync(dirname(target), { recursive: true });
      let bytes = readFileSync(path);
      if (path.endsWith("/metadata")) {
        let text = metadata.replace(/\toffset = (\d+);/, (_, cycles) => {
          return `\toffset = ${BigInt(cycles) + BigInt(i * seconds) * NS_PER_S};`;
        });
        for (const uuid of uuids) text = text.replaceAll(uuid, changed(uuid));
        bytes = Buffer.from(text, "latin1");
      }
      // Packets, also those of the metadata, begin with their trace's UUID.
      const [old, fresh] = [bytesOf(uuids[0]), bytesOf(changed(uuids[0]))];
      for (let at = bytes.indexOf(old); at >= 0; at = bytes.indexOf(old, at + 16)) fresh.copy(bytes, at);
      writeFileSync(target, bytes);
    }
  }
}
