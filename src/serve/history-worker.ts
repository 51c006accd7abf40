/** Entry of the thread that holds an experiment's history. */
import { workerData } from "node:worker_threads";
import { DamagedHistory } from "../history/store.js";
import { HistoryService, type HistoryTask } from "./history-service.js";
import { answerCalls, onceMade } from "./remote.js";

/** Rows are read from the file when they are asked for: only then may it turn out that the file is damaged. */
function mending(service: HistoryService): HistoryService {
  return new Proxy(service, {
    get(target, name: keyof HistoryService) {
      const call = (...args: unknown[]): unknown =>
        (target[name] as (...args: unknown[]) => unknown).apply(target, args);
      return (...args: unknown[]): unknown => {
        try {
          return call(...args);
        } catch (error) {
          if (!(error instanceof DamagedHistory)) throw error;
          target.rebuild(error);
          return call(...args);
        }
      };
    },
  });
}

answerCalls(onceMade(() => mending(new HistoryService(workerData as HistoryTask))));
