import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { type Landed, land, moveToLanding } from "./landing.js";

const SENT = Buffer.from(Array.from({ length: 700_001 }, (_, i) => (i * 7919) >>> 3));

/** What a landing with rooms of odd sizes gets of `SENT`, when it asks for a pause now and then. */
async function receive(prepare: (socket: Socket) => Socket): Promise<{ got: Buffer; moved: boolean }> {
  let moved = false;
  const pieces: Buffer[] = [];
  const server = createServer({ pauseOnConnect: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const ended = new Promise<void>((resolve) => {
    server.on("connection", (accepted) => {
      const socket = prepare(accepted);
      moved = socket !== accepted;
      let rooms = 0;
      let room = new Uint8Array(0);
      let received = 0;
      const landed: Landed = land(socket, {
        room: () => {
          room = new Uint8Array([1, 31, 5000, 65_536, 300_000][rooms % 5]!);
          return room;
        },
        arrived: (bytes) => {
          pieces.push(Buffer.from(room.subarray(0, bytes)));
          received += bytes;
          if (received === SENT.length) socket.destroy();
          if (++rooms % 4 !== 0) return true;
          setTimeout(() => landed.resume(), 2);
          return false;
        },
      });
      socket.on("close", resolve);
    });
  });
  const client = connect((server.address() as { port: number }).port, "127.0.0.1");
  client.write(SENT);
  await ended;
  server.close();
  await once(server, "close");
  return { got: Buffer.concat(pieces), moved };
}

test("all bytes come in order, read where they stay or copied there", async () => {
  const direct = await receive(moveToLanding);
  assert.ok(direct.moved, "this Node reads into memory of ours");
  assert.ok(direct.got.equals(SENT));
  const copied = await receive((socket) => socket);
  assert.ok(copied.got.equals(SENT));
});
