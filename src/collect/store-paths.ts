/**
 * Names that come from the network, made into paths below the store. Nothing that a peer says can lead out of it,
 * or into its hidden part.
 */
import { isAbsolute, join } from "node:path";
import { ProtocolError } from "../relay/wire.js";

/** Folder of the store in which incidents are. */
export const INCIDENTS = "incidents";

const MAX_NAME_BYTES = 255;
/** Of a whole path below the store, well within the system's 4096. */
const MAX_PATH_BYTES = 1024;

function refuse(what: string, text: string, reason: string): never {
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  throw new ProtocolError(`${what} ${JSON.stringify(shown)}: ${reason}`);
}

/** One component of a path. Throws `ProtocolError`. */
export function safeName(text: string, what: string): string {
  if (text === "") refuse(what, text, "empty");
  if (Buffer.byteLength(text) > MAX_NAME_BYTES) refuse(what, text, `longer than ${MAX_NAME_BYTES} bytes`);
  if (text.startsWith(".")) refuse(what, text, "begins with a dot");
  if (/[/\u0000-\u001f\u007f]/.test(text)) refuse(what, text, "has a slash or a control character");
  return text;
}

/** A relative path of safe components; "" stays "". Throws `ProtocolError`. */
export function safePath(text: string, what: string): string {
  if (text === "") return "";
  if (isAbsolute(text)) refuse(what, text, "absolute, expected a path below the store");
  if (Buffer.byteLength(text) > MAX_PATH_BYTES) refuse(what, text, `longer than ${MAX_PATH_BYTES} bytes`);
  const parts = text.split("/").filter((part) => part !== "");
  return join(...parts.map((part) => safeName(part, what)));
}
