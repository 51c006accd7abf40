/**
 * What few event records need besides their decoder: those that may take no bits, and those that move the
 * clock outside their header.
 */
import { updatesClock } from "../decode/generator.js";
import { minimumSize } from "../decode/layout.js";
import { type Decoder, FAULT } from "../decode/state.js";
import type { DataStreamClass, EventRecordClass, FieldClass } from "../metadata/types.js";
import type { DataStreamReader } from "./reader.js";

/** `decode` itself, nearly always. */
export function guarded(decode: Decoder, stream: DataStreamClass, event: EventRecordClass): Decoder {
  const trees = [stream.commonContext, event.specificContext, event.payload];
  let guard = decode;
  if (trees.some((tree) => tree !== undefined && movesClock(tree))) guard = restoringClock(guard);
  const least = [stream.eventRecordHeader, ...trees].map((tree) => (tree ? minimumSize(tree) : 0));
  return least.every((size) => size === 0) ? refusingRepetition(guard) : guard;
}

/** An incomplete event record is decoded again: its clock fields must find the clock as it was. */
function restoringClock(decode: Decoder): Decoder {
  return (state, at) => {
    const { cycles, clockLow } = state;
    const answer = decode(state, at);
    if (answer < 0) {
      state.cycles = cycles;
      state.clockLow = clockLow;
    }
    return answer;
  };
}

/** Two event records at one place, neither with any bits: they would go on for ever. */
function refusingRepetition(decode: Decoder): Decoder {
  return (state, at) => {
    const reader = state as DataStreamReader;
    if (reader.emptyAt === at) {
      reader.fail(at, "event record of 0 bits, expected some data");
      return FAULT;
    }
    const answer = decode(state, at);
    reader.emptyAt = answer === at ? at : -1;
    return answer;
  };
}

function movesClock(fc: FieldClass): boolean {
  switch (fc.type) {
    case "int":
      return updatesClock(fc);
    case "struct":
      return fc.members.some((member) => movesClock(member.fieldClass));
    case "static-array":
    case "dynamic-array":
      return movesClock(fc.element);
    case "optional":
      return movesClock(fc.fieldClass);
    case "variant":
      return fc.options.some((option) => movesClock(option.fieldClass));
    default:
      return false;
  }
}
