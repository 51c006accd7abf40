/** Pages, and the search for them when there are none. */
import { event, i32, u32, u64 } from "../mapping.js";

export const MEMORY = [
  event("kmem/mm_page_alloc", "kmem_mm_page_alloc", [
    u64("pfn"),
    u32("order"),
    u32("gfp_flags"),
    i32("migratetype"),
  ]),
  event("kmem/mm_page_free", "kmem_mm_page_free", [u64("pfn"), u32("order")]),
  ...["direct", "memcg"].flatMap((kind) => [
    event(`vmscan/mm_vmscan_${kind}_reclaim_begin`, `mm_vmscan_${kind}_reclaim_begin`, [
      i32("order"),
      u32("gfp_flags"),
    ]),
    event(`vmscan/mm_vmscan_${kind}_reclaim_end`, `mm_vmscan_${kind}_reclaim_end`, [u64("nr_reclaimed")]),
  ]),
];
