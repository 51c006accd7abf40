// The talk's way to reach all hosts: `ssh HOST true`, one after the other and all at once, to real sshds of its own
// that listen on as many addresses of loopback as there are hosts.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { userInfo } from "node:os";
import { join } from "node:path";

const ROUNDS = 3;
/** sshd's own limit (MAX_LISTEN_SOCKS). */
const MOST_ADDRESSES = 16;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function must(command, args) {
  const { error, status, stderr } = spawnSync(command, args, { encoding: "utf8" });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr.trim()}`);
}

/** Starts sshds; answers what logs in on host number i. Throws an error that says why it cannot be had. */
async function startSshd(directory, hosts, children) {
  const sshd = ["/usr/sbin/sshd", "/usr/local/sbin/sshd"].find((path) => existsSync(path));
  if (sshd === undefined) throw new Error("no sshd here (apt-get install openssh-server)");
  const home = join(directory, "ssh");
  mkdirSync(home, { mode: 0o700 });
  // Where sshd wants to give up its rights; the package's service makes it.
  if (process.getuid() === 0) mkdirSync("/run/sshd", { recursive: true });
  for (const name of ["host", "user"]) {
    must("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", join(home, name)]);
  }
  writeFileSync(join(home, "authorized"), readFileSync(join(home, "user.pub")), { mode: 0o600 });
  const port = await freePort();
  const addresses = Array.from({ length: hosts }, (_, i) => `127.0.0.${i + 1}`);
  let said = "";
  for (let from = 0; from < hosts; from += MOST_ADDRESSES) {
    const config = [
      `Port ${port}`,
      ...addresses.slice(from, from + MOST_ADDRESSES).map((address) => `ListenAddress ${address}`),
      `HostKey ${join(home, "host")}`,
      `AuthorizedKeysFile ${join(home, "authorized")}`,
      `PidFile ${join(home, `pid${from}`)}`,
      "StrictModes no",
      "UsePAM no",
      "PermitRootLogin yes",
      "MaxStartups 1000",
    ];
    const file = join(home, `config${from}`);
    writeFileSync(file, `${config.join("\n")}\n`);
    // -D: it stays ours; -e: what it says goes to standard error.
    const daemon = spawn(sshd, ["-D", "-e", "-f", file], { stdio: ["ignore", "ignore", "pipe"] });
    children.push(daemon);
    daemon.stderr.on("data", (bytes) => {
      said += bytes;
    });
  }
  const options = [
    "StrictHostKeyChecking=no",
    "UserKnownHostsFile=/dev/null",
    "LogLevel=ERROR",
    "BatchMode=yes",
  ];
  const args = (address) => [
    ...["-F", "none", "-p", String(port), "-i", join(home, "user")],
    ...options.flatMap((option) => ["-o", option]),
    ...[`${userInfo().username}@${address}`, "true"],
  ];
  let last = "";
  for (let tries = 0; tries < 50; tries++) {
    const { status, stderr, error } = spawnSync("ssh", args(addresses.at(-1)), { encoding: "utf8" });
    if (error !== undefined) throw new Error("no ssh here (apt-get install openssh-client)");
    if (status === 0) {
      return (i) =>
        new Promise((resolve, reject) => {
          const ssh = spawn("ssh", args(addresses[i]), { stdio: ["ignore", "ignore", "pipe"] });
          let complaint = "";
          ssh.stderr.on("data", (bytes) => {
            complaint += bytes;
          });
          ssh.on("close", (code) =>
            code === 0
              ? resolve()
              : reject(new Error(`ssh ${addresses[i]} ended with ${code}: ${complaint}`)),
          );
        });
    }
    last = stderr;
    await sleep(100);
  }
  throw new Error(`nobody can log in: ${last.trim()} ${said.trim()}`);
}

/** Milliseconds until all hosts are reached, sorted. Throws an error that says why it cannot be measured. */
export async function measureSsh(directory, hosts, children) {
  const ssh = await startSshd(directory, hosts, children);
  const sequential = [];
  const parallel = [];
  for (let n = 0; n < ROUNDS; n++) {
    let began = performance.now();
    for (let i = 0; i < hosts; i++) await ssh(i);
    sequential.push(performance.now() - began);
    began = performance.now();
    await Promise.all(Array.from({ length: hosts }, (_, i) => ssh(i)));
    parallel.push(performance.now() - began);
  }
  return { sequential: sequential.sort((a, b) => a - b), parallel: parallel.sort((a, b) => a - b) };
}
