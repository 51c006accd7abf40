/** Entry of the thread that holds an experiment's history. */
import { workerData } from "node:worker_threads";
import { HistoryService, type HistoryTask } from "./history-service.js";
import { answerCalls, onceMade } from "./remote.js";

answerCalls(onceMade(() => new HistoryService(workerData as HistoryTask)));
