/** Options that the commands of explanations share. */
import type { OptionSpec } from "./options.js";

export const TIME_OPTIONS: readonly OptionSpec[] = [
  { name: "begin", value: "TIME", help: "from TIME on (earlier event records still build the state)" },
  { name: "end", value: "TIME", help: "until TIME" },
  { name: "timerange", value: "[BEGIN,END]", help: "the same in one" },
  { name: "gmt", help: "times are GMT, in and out, instead of local" },
];

/** Quoted for a shell, where it must be. */
export function shellWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
