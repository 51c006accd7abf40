/** Structured logs of the programs that run long: one JSON object a line, on standard error. */

export type Level = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export type Logger = (level: Level, event: string, fields?: LogFields) => void;

/** `minimum`: lower levels are left out. */
export function jsonLogger(minimum: Level = "info"): Logger {
  const order: Level[] = ["debug", "info", "warn", "error"];
  return (level, event, fields = {}) => {
    if (order.indexOf(level) < order.indexOf(minimum)) return;
    process.stderr.write(`${JSON.stringify({ time: new Date().toISOString(), level, event, ...fields })}\n`);
  };
}

/** For a person at a terminal. */
export function textLogger(minimum: Level = "info"): Logger {
  const order: Level[] = ["debug", "info", "warn", "error"];
  return (level, event, fields = {}) => {
    if (order.indexOf(level) < order.indexOf(minimum)) return;
    const rest = Object.entries(fields).filter(([, value]) => value !== undefined);
    const text = rest.map(([key, value]) => `${key}=${value}`).join(" ");
    const mark = level === "info" ? "" : `${level}: `;
    process.stderr.write(`${new Date().toISOString()} ${mark}${event}${text === "" ? "" : ` ${text}`}\n`);
  };
}
