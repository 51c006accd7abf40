import assert from "node:assert/strict";
import { test } from "node:test";
import { View } from "./view.js";

test("zooming keeps the moment under the pointer", () => {
  const view = new View({ beginNs: 0, endNs: 1000_000 });
  view.zoom(0.5, 250_000);
  assert.deepEqual(view.range, { beginNs: 125_000, endNs: 625_000 });
  view.zoom(0.5, 125_000);
  assert.deepEqual(view.range, { beginNs: 125_000, endNs: 375_000 });
});

test("never shows what is not there, nor less than can be told apart", () => {
  const view = new View({ beginNs: 100, endNs: 1000_000 });
  view.panBy(-500);
  assert.equal(view.beginNs, 100);
  view.zoom(1e-9);
  assert.equal(view.spanNs, 50);
  view.zoom(1e12);
  assert.deepEqual(view.range, { beginNs: 100, endNs: 1000_000 });
});

test("undo goes back over movements, not over every frame of one", () => {
  let ms = 0;
  const view = new View({ beginNs: 0, endNs: 1000_000 }, () => ms);
  view.show(0, 500_000);
  for (let i = 0; i < 10; i++) {
    ms += 16;
    view.panBy(1000);
  }
  ms += 5000;
  view.show(100, 200);
  view.undo();
  assert.deepEqual(view.range, { beginNs: 10_000, endNs: 510_000 });
  view.undo();
  assert.deepEqual(view.range, { beginNs: 0, endNs: 1000_000 });
  view.redo();
  assert.equal(view.endNs, 510_000);
});
