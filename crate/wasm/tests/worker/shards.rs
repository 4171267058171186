//! A sharded store on whole nodes: groups that begin and end while it serves, and shards that move.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use js_sys::Uint8Array;
use quorate_kv::{Command, KeyRange, Op, Projection, Query, Reply, Txn};
use quorate_raft::NodeId;
use quorate_shard::{ControllerCommand, ControllerReply, GroupId, GroupInfo, ShardId};
use quorate_wasm::calling::ClientHandler;
use quorate_wasm::{Client, Host, ShardedClient};
use wasm_bindgen::prelude::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::client::{get, put};
use crate::support::*;

const TIMEOUT_MS: f64 = 60_000.0;
pub const SHARDS: u32 = 8;

/// What calls ended with.
#[derive(Clone, Default)]
struct Ended(Rc<RefCell<Ends>>);

type Ends = BTreeMap<u64, Vec<Result<Bytes, JsValue>>>;

impl Ended {
    fn handler(&self) -> ClientHandler {
        let (on_done, on_failed) = (self.clone(), self.clone());
        let note = |ended: &Self, call: f64, end| {
            ended
                .0
                .borrow_mut()
                .entry(call as u64)
                .or_default()
                .push(end);
        };
        let done: Closure<dyn Fn(f64, Uint8Array)> =
            Closure::new(move |call, reply: Uint8Array| {
                note(&on_done, call, Ok(reply.to_vec().into()));
            });
        let failed: Closure<dyn Fn(f64, JsValue)> =
            Closure::new(move |call, error| note(&on_failed, call, Err(error)));
        let (done, failed) = (done.into_js_value(), failed.into_js_value());
        script("return { done: a, failed: b }", &[&done, &failed]).unchecked_into()
    }

    fn has(&self, call: f64) -> bool {
        self.0.borrow().contains_key(&(call as u64))
    }

    async fn of(&self, call: f64) -> Bytes {
        until("the call ends", || self.has(call)).await;
        let ends = self
            .0
            .borrow_mut()
            .remove(&(call as u64))
            .expect("it ended");
        assert_eq!(ends.len(), 1, "each call ends once");
        match &ends[0] {
            Ok(reply) => reply.clone(),
            Err(error) => panic!("the call fails: {}", describe(error)),
        }
    }
}

/// Three nodes, and clients of the store and of its controller.
pub struct Store {
    pub settings: Vec<JsValue>,
    pub hosts: Vec<(Host, Heard<JsValue>)>,
    pub admin: Client,
    pub client: ShardedClient,
    admin_ended: Ended,
    ended: Ended,
}

impl Store {
    pub async fn open() -> Self {
        let name = unique("sharded");
        let settings = |id| {
            let settings = with(&config(&name, id, 3), "storage", &memory_storage());
            with(&settings, "sharded", &true.into())
        };
        let settings: Vec<_> = (1..=3).map(settings).collect();
        let (admin_ended, ended) = (Ended::default(), Ended::default());
        let nodes = r#"{ "nodes": [1, 2, 3] }"#;
        let admin = Client::new(json(nodes), admin_ended.handler()).expect("good settings");
        let sharded = with(&json(nodes), "shards", &SHARDS.into());
        let client = ShardedClient::new(sharded, ended.handler()).expect("good settings");
        let mut store = Self {
            settings,
            hosts: Vec::new(),
            admin,
            client,
            admin_ended,
            ended,
        };
        store.start().await;
        store
    }

    async fn start(&mut self) {
        for settings in &self.settings {
            self.hosts.push(open(settings).await);
        }
        for one in 0..3 {
            for other in one + 1..3 {
                let [a, b] = [one, other].map(|at| (&self.hosts[at].0, at as u32 + 1));
                connect(a, b);
            }
            self.connect_clients(one);
        }
    }

    fn connect_clients(&self, at: usize) {
        let node = at as f64 + 1.0;
        for (number, connect) in [
            (1.0, &|port| {
                self.admin.connect(node, port) as Result<(), JsValue>
            }),
            (2.0, &|port| self.client.connect(node, port)),
        ] as [(f64, &dyn Fn(JsValue) -> Result<(), JsValue>); 2]
        {
            let (ours, theirs) = channel();
            let host = &self.hosts[at].0;
            host.connect_client(number, ours).expect("an open node");
            connect(theirs).expect("an open client");
        }
    }

    /// Ends a node, and tells clients, but not its peers.
    pub async fn end(&self, at: usize) {
        close(&self.hosts[at].0).await;
        let node = at as f64 + 1.0;
        self.admin.disconnect(node).expect("an open client");
        self.client.disconnect(node).expect("an open client");
    }

    /// Opens a node again.
    pub async fn restart(&mut self, at: usize) {
        self.hosts[at] = open(&self.settings[at]).await;
        for other in (0..3).filter(|other| *other != at) {
            let [a, b] = [at, other].map(|at| (&self.hosts[at].0, at as u32 + 1));
            connect(a, b);
        }
        self.connect_clients(at);
    }

    pub async fn decide(&self, command: ControllerCommand) {
        let call = self.admin.write(command.encode().to_vec(), TIMEOUT_MS);
        let reply = self.admin_ended.of(call.expect("begun")).await;
        match ControllerReply::decode(&reply) {
            Ok(ControllerReply::Changed { .. } | ControllerReply::Unchanged { .. }) => {}
            other => panic!("{other:?}"),
        }
    }

    pub async fn join(&self, groups: &[u32]) {
        let all = [1, 2, 3];
        let groups: Vec<_> = groups.iter().map(|id| (*id, &all[..])).collect();
        self.join_on(&groups).await;
    }

    async fn join_on(&self, groups: &[(u32, &[u64])]) {
        let info = |nodes: &[u64]| GroupInfo::new(nodes.iter().copied().map(NodeId).collect());
        let groups = groups.iter();
        let groups = groups.map(|(id, nodes)| (GroupId(*id), info(nodes)));
        let groups = groups.collect();
        self.decide(ControllerCommand::Join { groups }).await;
    }

    pub async fn call(&self, command: Vec<u8>) -> Reply {
        let call = self.client.write(command, TIMEOUT_MS, None).expect("begun");
        Reply::decode(&self.ended.of(call).await).expect("a reply")
    }

    pub async fn value(&self, key: &str) -> Option<String> {
        let call = self.client.read(get(key), 0.0, TIMEOUT_MS, None);
        let reply = self.ended.of(call.expect("begun")).await;
        match Reply::decode(&reply) {
            Ok(Reply::Got { record, .. }) => {
                record.map(|record| String::from_utf8(record.value.to_vec()).expect("text"))
            }
            other => panic!("{other:?}"),
        }
    }

    /// On a node: each group with its shards, and how each stands.
    fn groups(&self, node: usize) -> BTreeMap<u32, Vec<(u32, String)>> {
        let groups: js_sys::Array = property(&status(&self.hosts[node].0), "groups").into();
        let groups = groups.iter().filter(|it| number(it, "group") > 0.0);
        let read = |group: JsValue| {
            let shards: js_sys::Array = property(&group, "shards").into();
            let shards = shards
                .iter()
                .map(|it| (number(&it, "shard") as u32, text(&it, "stands")));
            (number(&group, "group") as u32, shards.collect())
        };
        groups.map(read).collect()
    }

    /// Waits until each node has these groups, and they serve so many shards each.
    pub async fn settled(&self, wanted: &[(u32, usize)]) {
        let wanted: BTreeMap<u32, usize> = wanted.iter().copied().collect();
        until("all shards are where they shall be", || {
            (0..3).all(|node| {
                let groups = self.groups(node);
                let all = groups.values().flatten();
                all.clone().all(|(_, stands)| stands == "serving")
                    && groups
                        .iter()
                        .map(|(id, shards)| (*id, shards.len()))
                        .eq(wanted.clone())
            })
        })
        .await;
    }

    /// One more client of the store.
    fn another(&self) -> (ShardedClient, Ended) {
        let ended = Ended::default();
        let config = with(&json(r#"{ "nodes": [1, 2, 3] }"#), "shards", &SHARDS.into());
        let client = ShardedClient::new(config, ended.handler()).expect("good settings");
        for (host, node) in self.hosts.iter().zip([1.0, 2.0, 3.0]) {
            let (ours, theirs) = channel();
            host.0.connect_client(3.0, ours).expect("an open node");
            client.connect(node, theirs).expect("an open client");
        }
        (client, ended)
    }

    pub async fn close(self) {
        self.client.close();
        self.admin.close();
        for (host, _) in &self.hosts {
            close(host).await;
        }
    }
}

/// Adds 1 to each of these counters, all at a time, and waits for the answers.
async fn count(store: &Store, counters: &[String]) {
    let calls: Vec<_> = counters
        .iter()
        .map(|key| {
            let key = key.clone().into();
            let command = Command::Increment { key, by: 1 }.encode().to_vec();
            store
                .client
                .write(command, TIMEOUT_MS, None)
                .expect("begun")
        })
        .collect();
    for call in calls {
        let reply = Reply::decode(&store.ended.of(call).await);
        assert!(matches!(reply, Ok(Reply::Incremented { .. })), "{reply:?}");
    }
}

#[wasm_bindgen_test]
async fn groups_come_and_go_and_shards_move_under_writes() {
    let store = Store::open().await;
    store
        .decide(ControllerCommand::Create { shards: SHARDS })
        .await;
    store.join(&[1, 2]).await;
    store.settled(&[(1, 4), (2, 4)]).await;
    let counters: Vec<_> = (0..24).map(|number| format!("counter-{number}")).collect();
    let mut rounds = 0;
    count(&store, &counters).await;
    rounds += 1;

    // A client that knows what the group has that will leave, and hears of nothing until then.
    let (late, late_ended) = store.another();
    let read = |key: &String| late.read(get(key), 0.0, TIMEOUT_MS, None).expect("begun");
    late_ended.of(read(&counters[0])).await;
    let of_first = |key: &&String| {
        let shard = late.shard_of(key.as_bytes());
        number(&late.configuration(), &format!("shards.{shard}")) == 1.0
    };
    let key = counters.iter().find(of_first).expect("a half of them");
    late_ended.of(read(key)).await;

    // A group joins, while each counter is counted up.
    store.join(&[3]).await;
    let moved = |node, group, shards| {
        let groups = store.groups(node);
        let serving = |(_, stands): &&(u32, String)| stands == "serving";
        groups
            .get(&group)
            .is_some_and(|it| it.iter().filter(serving).count() == shards)
    };
    while !moved(0, 3, 2) {
        count(&store, &counters).await;
        rounds += 1;
    }
    store.settled(&[(1, 3), (2, 3), (3, 2)]).await;

    // A shard goes there and back.
    let shard = ShardId(store.client.shard_of(counters[0].as_bytes()));
    let serves = |group: u32| {
        let groups = store.groups(0);
        let place = (shard.0, "serving".to_owned());
        groups
            .get(&group)
            .is_some_and(|shards| shards.contains(&place))
    };
    let home = (1..=3).find(|group| serves(*group)).expect("it is served");
    for group in [home % 3 + 1, home] {
        let to = GroupId(group);
        store
            .decide(ControllerCommand::Move { shard, group: to })
            .await;
        while !serves(group) {
            count(&store, &counters).await;
            rounds += 1;
        }
    }

    // A group leaves: it gives all away, and is forgotten with its records.
    let groups = vec![GroupId(1)];
    let discard = false;
    store
        .decide(ControllerCommand::Leave { groups, discard })
        .await;
    while store.groups(0).contains_key(&1) {
        count(&store, &counters).await;
        rounds += 1;
    }
    store.settled(&[(2, 4), (3, 4)]).await;
    for key in &counters {
        let value = store.value(key).await;
        assert_eq!(value, Some(rounds.to_string()), "{key}: each once");
    }
    late_ended.of(read(key)).await;
    late.close();
    for (settings, (_, heard)) in store.settings.iter().zip(&store.hosts) {
        let records =
            "return [...a.storage.records.keys()].filter((key) => key.startsWith(b)).length";
        let left = |prefix: &str| script(records, &[settings, &prefix.into()]);
        let gone = || left("0001/").as_f64() == Some(0.0);
        until("its records are gone", gone).await;
        assert!(left("0002/").as_f64() > Some(0.0));
        let told = heard.all();
        let told = told.iter().filter(|event| text(event, "type") == "hosting");
        let told: Vec<_> = told
            .map(|event| {
                (
                    number(event, "group") as u32,
                    property(event, "begins").is_truthy(),
                )
            })
            .collect();
        assert_eq!(told, [(1, true), (2, true), (3, true), (1, false)]);
    }
    store.close().await;
}

#[wasm_bindgen_test]
async fn what_a_sharded_store_had_it_has_after_a_restart_of_all() {
    let mut store = Store::open().await;
    store
        .decide(ControllerCommand::Create { shards: SHARDS })
        .await;
    store.join_on(&[(1, &[1, 2]), (2, &[2, 3])]).await;
    for number in 0..16 {
        let written = store.call(put(&format!("key-{number}"), "kept")).await;
        assert!(matches!(written, Reply::Written { .. }), "{written:?}");
    }
    for (host, _) in store.hosts.drain(..) {
        drop(host);
    }
    for node in [1.0, 2.0, 3.0] {
        store.admin.disconnect(node).expect("an open client");
        store.client.disconnect(node).expect("an open client");
    }
    store.start().await;
    for number in 0..16 {
        let value = store.value(&format!("key-{number}")).await;
        assert_eq!(value.as_deref(), Some("kept"), "key-{number}");
    }
    let told = store.hosts[0].1.all();
    let founded = |event: &JsValue| text(event, "type") == "hosting";
    assert!(!told.iter().any(founded), "they were there");
    for (node, group, wanted) in [(0, 1, "[1,2]"), (1, 1, "[1,2]"), (1, 2, "[2,3]")] {
        let voters = property(
            &status(&store.hosts[node].0),
            &format!("groups.{group}.members.voters"),
        );
        let voters = js_sys::JSON::stringify(&voters).expect("an array");
        assert_eq!(voters, wanted, "of group {group}");
    }
    assert_eq!(store.groups(2).into_keys().collect::<Vec<_>>(), [2]);
    store.close().await;
}

#[wasm_bindgen_test]
async fn a_call_that_no_shard_can_do_alone_is_refused_by_its_keys() {
    let store = Store::open().await;
    let keys: Vec<_> = (0..)
        .map(|number| format!("key-{number}"))
        .take(32)
        .collect();
    let other = keys.iter().find(|key| {
        let [one, other] = [&keys[0], key].map(|key| store.client.shard_of(key.as_bytes()));
        one != other
    });
    let both = [&keys[0], other.expect("32 keys are in several shards")];
    let then = both.map(|key| {
        Op::Ask(Query::Get {
            key: key.clone().into(),
        })
    });
    let txn = Txn {
        compares: vec![],
        then: then.to_vec(),
        otherwise: vec![],
    };
    let command = Command::Txn(Box::new(txn)).encode().to_vec();
    let refused = store
        .client
        .write(command, TIMEOUT_MS, None)
        .expect_err("two shards");
    assert_eq!(text(&refused, "code"), "CROSS_SHARD");
    for key in both {
        assert!(
            text(&refused, "place").contains(key.as_str()),
            "{}",
            describe(&refused)
        );
    }
    let query = Query::Range {
        range: KeyRange::all(),
        limit: 0,
        projection: Projection::Records,
    };
    let query = query.encode().to_vec();
    let refused = store.client.read(query.clone(), 0.0, TIMEOUT_MS, None);
    assert_eq!(
        text(&refused.expect_err("all shards"), "code"),
        "SHARD_NEEDED"
    );
    let beyond = store
        .client
        .read(query.clone(), 0.0, TIMEOUT_MS, Some(SHARDS.into()));
    assert_eq!(
        text(&beyond.expect_err("no shard"), "code"),
        "INVALID_ARGUMENT"
    );

    store
        .decide(ControllerCommand::Create { shards: SHARDS })
        .await;
    store.join(&[1]).await;
    store.call(put(&keys[0], "here")).await;
    let mut found = 0;
    for shard in 0..SHARDS {
        let call = store
            .client
            .read(query.clone(), 0.0, TIMEOUT_MS, Some(shard.into()));
        let reply = store.ended.of(call.expect("begun")).await;
        let Ok(Reply::Range { records, .. }) = Reply::decode(&reply) else {
            panic!("no range");
        };
        found += records.len();
    }
    assert_eq!(found, 1, "in one shard");
    assert_eq!(number(&store.client.configuration(), "number"), 1.0);
    assert_eq!(number(&store.client.configuration(), "shards.7"), 1.0);
    store.close().await;
}

#[wasm_bindgen_test]
async fn a_sharded_storage_is_opened_as_one() {
    let storage = memory_storage();
    let settings = with(&config(&unique("kind"), 1, 1), "storage", &storage);
    let sharded = with(&settings, "sharded", &true.into());
    let (host, _) = open(&sharded).await;
    leading(&host).await;
    close(&host).await;
    let error = refused(&settings).await;
    assert_eq!(text(&error, "code"), "MACHINE_MISMATCH");
    let groups = with(&sharded, "groups", &json("[0, 1]"));
    assert_eq!(text(&refused(&groups).await, "code"), "INVALID_ARGUMENT");
    let (host, _) = open(&sharded).await;
    close(&host).await;
}
