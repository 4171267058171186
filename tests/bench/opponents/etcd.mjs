// Three etcds on loopback, with their data where they are told, and puts at the leader over gRPC.
//
// node etcd.mjs MILLISECONDS BYTES DIRECTORY DEPTHS PROGRAM: a line of JSON for each number of puts in flight.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import grpc from "@grpc/grpc-js";
import { press } from "../load.mjs";

const CHANNELS = 8;
const [ms, bytes, directory, depths, program] = process.argv.slice(2);
const names = ["a", "b", "c"];
const ports = await freePorts(2 * names.length);
const address = (at) => `127.0.0.1:${ports[at]}`;
const peers = names.map((name, at) => `${name}=http://${address(at + 3)}`).join();
const servers = names.map((name, at) => {
  const flags = {
    name,
    "data-dir": join(directory, name),
    "listen-client-urls": `http://${address(at)}`,
    "advertise-client-urls": `http://${address(at)}`,
    "listen-peer-urls": `http://${address(at + 3)}`,
    "initial-advertise-peer-urls": `http://${address(at + 3)}`,
    "initial-cluster": peers,
    "initial-cluster-state": "new",
  };
  const words = Object.entries(flags).flatMap(([flag, value]) => [`--${flag}`, value]);
  return spawn(program, words, { stdio: "ignore" });
});
process.once("exit", () => {
  for (const server of servers) server.kill();
});

const leader = await leaderAddress();
const method = (name) => ({
  path: `/etcdserverpb.KV/${name}`,
  requestStream: false,
  responseStream: false,
  requestSerialize: (message) => message,
  requestDeserialize: (message) => message,
  responseSerialize: (message) => message,
  responseDeserialize: (message) => message,
});
const Store = grpc.makeClientConstructor({ Put: method("Put") }, "KV");
const channels = Array.from(
  { length: CHANNELS },
  (_, channel) =>
    new Store(leader, grpc.credentials.createInsecure(), {
      "grpc.use_local_subchannel_pool": 1,
      channel,
    }),
);
const value = Buffer.alloc(Number(bytes), "Z");
const put = (number) =>
  new Promise((resolve, reject) => {
    const request = Buffer.concat([field(1, `key/${number % 1000}`), field(2, value)]);
    channels[number % CHANNELS].Put(request, (error) => (error ? reject(error) : resolve()));
  });
for (const depth of depths.split(",").map(Number)) {
  await press(put, depth, Number(ms) / 5);
  console.log(JSON.stringify({ depth, ...(await press(put, depth, Number(ms))) }));
}
for (const channel of channels) channel.close();
for (const server of servers) server.kill();
await Promise.all(servers.map((server) => server.exitCode ?? once(server, "exit")));
process.exit(0);

/** The one that says of itself that it leads. */
async function leaderAddress() {
  for (let attempt = 0; attempt < 300; attempt++) {
    for (const at of names.keys()) {
      try {
        const options = { method: "POST", body: "{}", signal: AbortSignal.timeout(1_000) };
        const answer = await fetch(`http://${address(at)}/v3/maintenance/status`, options);
        const { header, leader: who } = await answer.json();
        if (who !== undefined && who !== "0" && header.member_id === who) return address(at);
      } catch {
        // It does not listen yet.
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("etcd elected nobody within 30 s");
}

/** A field of a protocol buffer that is bytes. */
function field(number, content) {
  const bytes = Buffer.from(content);
  const length = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([(number << 3) | 2, ...length, rest]), bytes]);
}

async function freePorts(count) {
  const holders = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, "127.0.0.1");
      await once(server, "listening");
      return server;
    }),
  );
  const free = holders.map((server) => server.address().port);
  await Promise.all(holders.map((server) => new Promise((done) => server.close(done))));
  return free;
}
