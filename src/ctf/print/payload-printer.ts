/** The fields of event records as babeltrace2's text sink writes them, one event record at a time. */
import type { ByteWriter } from "../../base/byte-writer.js";
import { compile, headerDecoder, recordGenerator, skipDecoder } from "../decode/decoders.js";
import { skipAction } from "../decode/generator.js";
import type { Decoder } from "../decode/state.js";
import type { ClassDecoders } from "../experiment.js";
import type { EventRecordClass } from "../metadata/types.js";
import type { DataStreamReader } from "../stream/reader.js";
import type { DataStream } from "../stream/stream.js";
import { PrettyAction } from "./pretty-action.js";
import { interpretPrinter, printedTrees } from "./printer.js";
import { writePretty } from "./value-text.js";

/** Told of an event record whose payload is in the writer, from 0 to `at`. */
export type PayloadListener = (reader: DataStreamReader, event: EventRecordClass) => void;

/** Decoders that write the payload of each event record over the one before. `out` writes to memory. */
export function payloadPrinter(
  out: ByteWriter,
  generate: boolean,
  listener: PayloadListener,
): (stream: DataStream) => ClassDecoders {
  return (stream) => ({
    header: headerDecoder(stream.class, generate),
    skipper: (event) => skipDecoder(stream.class, event, generate),
    decoder: (event) => {
      const trees = printedTrees(stream, event);
      if (!generate) {
        return interpretPrinter(out, trees, (reader, values) => {
          out.at = 0;
          const at = trees.findIndex(({ scope, shown }) => scope === "payload" && shown);
          if (at >= 0) writePretty(out, trees[at]!.tree, values[at], true);
          listener(reader, event);
        });
      }
      const g = recordGenerator(stream.class, event);
      const action = new PrettyAction(g);
      g.line("let o = 0, w = T.u8, d = T.dv;");
      for (const { scope, tree, shown } of trees)
        g.walk(tree, scope === "payload" && shown ? action : skipAction);
      action.barrier();
      g.line(`T.at = o; H(s, ${g.constant(event)});`);
      g.finish();
      return compile(g, ["T", "H"], [out, listener]) as Decoder;
    },
  });
}
