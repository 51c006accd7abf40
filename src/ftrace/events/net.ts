/** Packets. What LTTng reads of their headers tracefs does not have. */
import { event, i32, string, u32, x64 } from "../mapping.js";

export const NET = [
  event("net/net_dev_queue", "net_dev_queue", [x64("skbaddr"), u32("len"), string("name")]),
  event("net/net_dev_xmit", "net_dev_xmit", [x64("skbaddr"), i32("rc"), u32("len"), string("name")]),
  event("net/netif_receive_skb", "net_if_receive_skb", [x64("skbaddr"), u32("len"), string("name")]),
];
