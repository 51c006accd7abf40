import type { Command } from "./command.js";
export const command: Command = {
  spec: { name: "report", operands: "", summary: "", options: [] },
  run: () => 0,
};
