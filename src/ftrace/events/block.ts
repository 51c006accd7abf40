/** Requests to disks. Device numbers are the kernel's own in both: 20 minor bits. */
import { currentComm, currentTid, event, i32, ownComm, rwbs, u32, u64 } from "../mapping.js";

const PLACE = [u32("dev"), u64("sector"), u32("nr_sector")];
/** The error is a status in requests, an error number for those who waited. */
const ERROR = i32("error", "error", "errors");

export const BLOCK = [
  ...["block_rq_issue", "block_rq_insert", "block_rq_merge"].map((name) =>
    event(`block/${name}`, name, [...PLACE, u32("bytes"), currentTid, rwbs, ownComm, currentComm]),
  ),
  event("block/block_rq_complete", "block_rq_complete", [...PLACE, ERROR, rwbs]),
  event("block/block_rq_requeue", "block_rq_requeue", [...PLACE, rwbs]),
  ...["block_getrq", "block_bio_queue", "block_bio_frontmerge", "block_bio_backmerge"].map((name) =>
    event(`block/${name}`, name, [...PLACE, rwbs, currentTid, ownComm, currentComm]),
  ),
  event("block/block_bio_complete", "block_bio_complete", [...PLACE, ERROR, rwbs]),
  event("block/block_bio_remap", "block_bio_remap", [...PLACE, rwbs, u32("old_dev"), u64("old_sector")]),
  event("block/block_rq_remap", "block_rq_remap", [...PLACE, u32("old_dev"), u64("old_sector"), rwbs]),
  event("block/block_dirty_buffer", "block_dirty_buffer", [u32("dev"), u64("sector"), u64("size")]),
];
