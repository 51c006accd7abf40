/** A data connection: packets of one relay session's streams, one after the other, never answered. */
import type { Socket } from "node:net";
import { DATA_HEADER_BYTES, type DataHeader, readDataHeader } from "../../relay/data.js";
import { Closed, SocketReader } from "../../relay/socket.js";
import { ProtocolError } from "../../relay/wire.js";
import { PacketBuffer } from "./packet-buffer.js";
import type { Relay } from "./relay.js";
import type { RelaySession } from "./relay-session.js";

/** A packet larger than this, with its padding, is no packet: ring buffers' parts are far smaller. */
const MAX_PACKET_BYTES = 1 << 30;

/** Serves one connection until it ends; never throws. */
export async function serveData(socket: Socket, relay: Relay, peer: string): Promise<void> {
  const reader = new SocketReader(socket);
  let session: RelaySession | undefined;
  try {
    for (;;) {
      const header = readDataHeader(await reader.exactly(DATA_HEADER_BYTES));
      const target = relay.streamOf(header.stream);
      if (target === undefined)
        throw new ProtocolError(`packet of stream ${header.stream}, which is not known`);
      if (session === undefined) {
        session = target.session;
        relay.dataBegan(session, socket);
      } else if (session !== target.session) {
        throw new ProtocolError(`packet of stream ${header.stream}, which is another session's`);
      }
      await takePacket(header, reader, relay, target, socket);
    }
  } catch (error) {
    if (!(error instanceof Closed)) {
      relay.log("warn", "data connection closed", { peer, reason: (error as Error).message });
    }
  } finally {
    socket.destroy();
    if (session !== undefined) relay.dataEnded(session, socket);
  }
}

async function takePacket(
  header: DataHeader,
  reader: SocketReader,
  relay: Relay,
  { stream, session }: NonNullable<ReturnType<Relay["streamOf"]>>,
  socket: Socket,
): Promise<void> {
  const { sequence, dataBytes, paddingBytes } = header;
  if (dataBytes + paddingBytes > MAX_PACKET_BYTES) {
    throw new ProtocolError(
      `packet ${sequence} of stream ${header.stream} with ${dataBytes} + ${paddingBytes} bytes, expected at most ${MAX_PACKET_BYTES}`,
    );
  }
  const gone = () => socket.destroyed;
  stream.checkData(sequence);
  const packet = new PacketBuffer(relay.budget);
  try {
    while (packet.bytes < dataBytes) {
      const piece = await reader.some(dataBytes - packet.bytes);
      await relay.withSpace(() => packet.add(piece), gone);
    }
    stream.checkData(sequence);
  } catch (error) {
    packet.release();
    throw error;
  }
  stream.takeData(sequence, packet, paddingBytes);
  await relay.withSpace(() => stream.store(), gone);
  relay.stored(stream);
  relay.checkComplete(session);
}
