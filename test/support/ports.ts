/** Ports for programs that must be told one, or that are to have the same one again. */
import { createServer } from "node:net";

/** Below those that the kernel gives to whoever asks for any: these may be somebody's connection a moment later. */
const FIRST = 15_000;
const COUNT = 17_000;

/** Ports of loopback that nobody listens on. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.on("error", () => resolve(false));
      server.listen(port, "127.0.0.1", () => resolve(true));
    });
    if (!isFree || ports.includes(port)) continue;
    await new Promise((resolve) => server.close(resolve));
    ports.push(port);
  }
  return ports;
}
