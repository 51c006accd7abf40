/** `periscope certificates`: an authority and certificates signed by it, for trying and for small networks. */
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { chmodSync, existsSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { isIP } from "node:net";
import { join } from "node:path";
import { PeriscopeError, UsageError } from "../base/errors.js";
import { type Command, complain } from "./command.js";

const CURVE = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];

export const command: Command = {
  spec: {
    name: "certificates",
    operands: "DIR [COLLECTOR-HOST...]",
    summary:
      "Makes development certificates in DIR: an authority (ca.pem), one for the collector under the names and\naddresses given (and localhost), one for agents, and a token. What is there is kept.",
    options: [{ name: "days", value: "N", help: "how long they hold (default: 365)" }],
    notes: [
      "Then, the first on the collector's machine, the second on every host (with a copy of ca.pem and token):",
      "  periscope collect --store STORE --listen ADDRESS --token-file DIR/token \\",
      "    --tls-cert DIR/collector.pem --tls-key DIR/collector.key --tls-ca DIR/ca.pem",
      "  periscope agent --collector HOST --ca ca.pem --token-file token",
      "A certificate (--cert agent.pem --key agent.key) does instead of the token.",
    ].join("\n"),
  },
  run(args) {
    const [directory, ...hosts] = args.operands;
    if (directory === undefined) throw new UsageError("certificates: expected a directory");
    const days = args.get("days") ?? "365";
    if (!/^[1-9]\d{0,4}$/.test(days)) throw new UsageError(`--days: "${days}", expected a number of days`);
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    makeAuthority(directory, days);
    makeCertificate(directory, "collector", "serverAuth", ["localhost", "127.0.0.1", "::1", ...hosts], days);
    makeCertificate(directory, "agent", "clientAuth", [], days);
    const token = join(directory, "token");
    if (!existsSync(token))
      writeFileSync(token, `${randomBytes(24).toString("base64url")}\n`, { mode: 0o600 });
    complain(`${directory}: ca.pem, collector.pem, agent.pem, their keys, token`);
    return 0;
  },
};

function openssl(args: readonly string[]): void {
  const { error, status, stderr } = spawnSync("openssl", args, { encoding: "utf8" });
  if (error !== undefined)
    throw new PeriscopeError(`openssl (of the package openssl) is needed: ${error.message}`);
  if (status !== 0) throw new PeriscopeError(`openssl ${args[0]}: ${stderr.trim().split("\n").at(-1)}`);
}

function makeAuthority(directory: string, days: string): void {
  const [key, certificate] = [join(directory, "ca.key"), join(directory, "ca.pem")];
  if (existsSync(key) && existsSync(certificate)) return;
  openssl([
    ...["req", "-x509", ...CURVE, "-keyout", key, "-out", certificate, "-days", days],
    ...["-subj", "/CN=Periscope development authority", "-addext", "basicConstraints=critical,CA:TRUE"],
    ...["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
  ]);
  chmodSync(key, 0o600);
}

function makeCertificate(
  directory: string,
  name: string,
  usage: "serverAuth" | "clientAuth",
  hosts: readonly string[],
  days: string,
): void {
  const file = (suffix: string) => join(directory, name + suffix);
  if (existsSync(file(".pem")) && existsSync(file(".key"))) return;
  const names = hosts.map((host) => (isIP(host) === 0 ? `DNS:${host}` : `IP:${host}`));
  const extensions = [
    "basicConstraints=critical,CA:FALSE",
    `extendedKeyUsage=${usage}`,
    ...(names.length > 0 ? [`subjectAltName=${names.join(",")}`] : []),
  ];
  writeFileSync(file(".ext"), `${extensions.join("\n")}\n`);
  openssl(["req", ...CURVE, "-keyout", file(".key"), "-out", file(".csr"), "-subj", `/CN=periscope ${name}`]);
  openssl([
    ...[
      "x509",
      "-req",
      "-in",
      file(".csr"),
      "-CA",
      join(directory, "ca.pem"),
      "-CAkey",
      join(directory, "ca.key"),
    ],
    ...["-CAcreateserial", "-out", file(".pem"), "-days", days, "-extfile", file(".ext")],
  ]);
  chmodSync(file(".key"), 0o600);
  for (const suffix of [".ext", ".csr"]) rmSync(file(suffix));
}
