import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { missingMoto, type MotoServer, startMoto, startProxy, type TcpProxy } from "@sous/store/testing";
import { createEgress, type Egress } from "../../powers/create-egress.ts";

/** A server of AWS's protocols, and the way an adapter takes to it. */
export interface MotoWay {
  moto: MotoServer;
  /** The way, which can be cut; what a test puts there goes past it. */
  proxy: TcpProxy;
  /** The address at the end of that way. */
  url: string;
  egress: Egress;
}

/** Declares tests that share one server; where there is none to start they are skipped, or fail where everything is required. */
export function withMoto(name: string, declare: (way: () => MotoWay) => void): void {
  const missing = missingMoto();
  if (missing !== undefined) {
    test(`${name} needs moto`, (context) => {
      assert.notEqual(process.env["SOUS_TEST_REQUIRE"], "all", `required, but ${missing}`);
      context.skip(missing);
    });
    return;
  }
  describe(name, () => {
    let way: MotoWay | undefined;
    before(async () => {
      const moto = await startMoto();
      const proxy = await startProxy(Number(new URL(moto.url).port));
      const egress = createEgress({ privateAllow: ["127.0.0.0/8"], responseBytesMax: 8 * 1024 * 1024 });
      way = { moto, proxy, url: `http://127.0.0.1:${proxy.port}`, egress };
    });
    after(async () => {
      await way?.egress[Symbol.asyncDispose]();
      await way?.proxy[Symbol.asyncDispose]();
      await way?.moto[Symbol.asyncDispose]();
    });
    declare(() => {
      assert.ok(way, "the server is up");
      return way;
    });
  });
}

/** @returns `reachable` of a source behind a way */
export const reachableBy = (proxy: TcpProxy) => (on: boolean) => {
  proxy.refuse(!on);
  if (!on) proxy.cut();
};
