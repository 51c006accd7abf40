import assert from "node:assert/strict";
import { test } from "node:test";
import { decode, encode, type UrlState } from "./url-state.js";

test("what is encoded is decoded again, to the nanosecond", () => {
  const state: UrlState = {
    experiment: "708c029d",
    begin: 353337133,
    end: 27388869599123,
    selectBegin: 5,
    selectEnd: 6,
    instance: 0,
    cursor: 12,
    filter: "mysql -idle & co",
    sort: "name",
    rows: "low",
    idle: true,
    pins: [3, 14],
    folded: ["labvm  212", "cpus"],
    marks: [1, 2],
    theme: "light",
    tab: "events",
  };
  assert.deepEqual(decode(`#${encode(state)}`), state);
});

test("nonsense is left out", () => {
  assert.deepEqual(decode("#begin=x&sort=upwards&rows=huge&theme=pink&pins=a.2"), {
    pins: [2],
    marks: [],
    folded: [],
  });
});
