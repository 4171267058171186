//! Whole nodes, many in one worker, over real channels.

use quorate_wasm::Host;
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::client::TestClient;
use crate::support::*;

/// Three nodes and the channels between them.
struct Cluster {
    settings: Vec<JsValue>,
    nodes: Vec<Option<Host>>,
}

impl Cluster {
    async fn open(settings: Vec<JsValue>) -> Self {
        let mut cluster = Self {
            nodes: settings.iter().map(|_| None).collect(),
            settings,
        };
        for index in 0..cluster.settings.len() {
            cluster.start(index).await;
        }
        cluster
    }

    async fn on_indexed_db(name: &str) -> Self {
        Self::open((1..=3).map(|id| config(name, id, 3)).collect()).await
    }

    async fn in_memory(name: &str) -> Self {
        let settings = |id| with(&config(name, id, 3), "storage", &memory_storage());
        Self::open((1..=3).map(settings).collect()).await
    }

    /// Starts a node, and connects it to those that run.
    async fn start(&mut self, index: usize) {
        let patient = with(&self.settings[index], "lockWaitMs", &60_000.into());
        let (host, _) = open(&patient).await;
        for (other, node) in self.nodes.iter().enumerate() {
            if let Some(node) = node {
                connect((&host, index as u32 + 1), (node, other as u32 + 1));
            }
        }
        self.nodes[index] = Some(host);
    }

    /// A crash: no farewell, and what was under way is gone.
    fn kill(&mut self, index: usize) {
        self.nodes[index] = None;
        for node in self.nodes.iter().flatten() {
            node.disconnect_peer(index as f64 + 1.0)
                .expect("an open node");
        }
    }

    fn node(&self, index: usize) -> &Host {
        self.nodes[index].as_ref().expect("the node runs")
    }

    /// The node that leads, known to a majority in the same term.
    async fn leader(&self) -> usize {
        let mut found = None;
        until("a majority knows one leader", || {
            let seen: Vec<(f64, f64)> = self
                .nodes
                .iter()
                .flatten()
                .map(|node| property(&status(node), "groups.0"))
                .filter_map(|group| {
                    Some((number(&group, "term"), property(&group, "leader").as_f64()?))
                })
                .collect();
            found = seen
                .iter()
                .find(|view| seen.iter().filter(|other| other == view).count() >= 2)
                .map(|(_, leader)| *leader as usize - 1)
                .filter(|leader| self.nodes[*leader].is_some());
            found.is_some()
        })
        .await;
        found.expect("until waits for it")
    }

    fn connect_client(&self, client: &TestClient, index: usize) {
        let (ours, theirs) = channel();
        self.node(index)
            .connect_client(1.0, ours)
            .expect("an open node");
        client
            .client
            .connect(index as f64 + 1.0, theirs)
            .expect("an open client");
    }

    async fn close(self) {
        for node in self.nodes.iter().flatten() {
            close(node).await;
        }
    }
}

#[wasm_bindgen_test]
async fn three_nodes_elect_commit_survive_their_leader_and_remember() {
    let mut cluster = Cluster::on_indexed_db(&unique("three")).await;
    let client = TestClient::new(3);
    for index in 0..3 {
        cluster.connect_client(&client, index);
    }
    client.put("color", "red").await;
    assert_eq!(client.get("color").await.as_deref(), Some("red"));

    let first = cluster.leader().await;
    cluster.kill(first);
    client
        .client
        .disconnect(first as f64 + 1.0)
        .expect("an open client");
    let second = cluster.leader().await;
    assert_ne!(first, second);
    assert_eq!(client.get("color").await.as_deref(), Some("red"));
    client.put("color", "green").await;

    // The old leader comes back from what was durable, and catches up.
    cluster.start(first).await;
    let caught_up = || number(&status(cluster.node(first)), "groups.0.revision") == 2.0;
    until("the old leader has caught up", caught_up).await;

    // All crash at once; whoever leads then has what was acknowledged.
    for index in 0..3 {
        cluster.kill(index);
        client
            .client
            .disconnect(index as f64 + 1.0)
            .expect("an open client");
    }
    for index in 0..3 {
        cluster.start(index).await;
        cluster.connect_client(&client, index);
    }
    assert_eq!(client.get("color").await.as_deref(), Some("green"));
    cluster.close().await;
}

#[wasm_bindgen_test]
async fn a_partitioned_leader_is_replaced_and_follows_after_healing() {
    let cluster = Cluster::in_memory(&unique("partition")).await;
    let client = TestClient::new(3);
    for index in 0..3 {
        cluster.connect_client(&client, index);
    }
    client.put("n", "1").await;
    let first = cluster.leader().await;
    let others: Vec<usize> = (0..3).filter(|index| *index != first).collect();
    for other in &others {
        let blocked = json(r#"{ "blocked": true }"#);
        cluster
            .node(first)
            .set_link(*other as f64 + 1.0, blocked)
            .expect("a rule");
    }
    let led_by_another = |index: &usize| {
        let leader = property(&status(cluster.node(*index)), "groups.0.leader").as_f64();
        leader.is_some_and(|leader| leader as usize != first + 1)
    };
    until("the others have a leader", || {
        others.iter().all(led_by_another)
    })
    .await;
    client.put("n", "2").await;
    let stepped_down = || text(&status(cluster.node(first)), "groups.0.role") != "leader";
    until("the old one notices", stepped_down).await;
    for other in &others {
        cluster
            .node(first)
            .set_link(*other as f64 + 1.0, json("{}"))
            .expect("a rule");
    }
    let caught_up = || number(&status(cluster.node(first)), "groups.0.revision") == 2.0;
    until("the old one follows", caught_up).await;
    assert_eq!(client.get("n").await.as_deref(), Some("2"));
    cluster.close().await;
}

#[wasm_bindgen_test]
async fn a_lossy_slow_network_loses_no_write() {
    let cluster = Cluster::in_memory(&unique("lossy")).await;
    let rule = r#"{ "drop": 0.1, "delayMs": 1, "jitterMs": 5 }"#;
    for index in 0..3 {
        for other in (0..3).filter(|other| *other != index) {
            cluster
                .node(index)
                .set_link(other as f64 + 1.0, json(rule))
                .expect("a rule");
        }
    }
    let client = TestClient::new(3);
    for index in 0..3 {
        cluster.connect_client(&client, index);
    }
    for _ in 0..30 {
        client.increment("n", 1).await;
    }
    assert_eq!(client.get("n").await.as_deref(), Some("30"), "each once");
    cluster.close().await;
}

#[wasm_bindgen_test]
async fn many_groups_share_ports_and_transactions() {
    let groups = json("[0, 1, 2, 3, 4, 5, 6, 7]");
    let storage = memory_storage();
    let settings = with(&config(&unique("groups"), 1, 1), "storage", &storage);
    let (host, heard) = open(&with(&settings, "groups", &groups)).await;
    let leads = |index: u32| text(&status(&host), &format!("groups.{index}.role")) == "leader";
    until("all lead", || (0..8).all(leads)).await;
    heard.of_type("role").await;

    // While one round is held up, all groups have something to write: that is one round then.
    let gate = "a.gate = new Promise((resolve) => { a.release = resolve; })";
    script(gate, &[&storage]);
    let writes = number(&storage, "writes.length");
    let clients: Vec<TestClient> = (0..8).map(|group| TestClient::of_group(1, group)).collect();
    let mut calls = Vec::new();
    for (number, client) in clients.iter().enumerate() {
        let (ours, theirs) = channel();
        host.connect_client(number as f64, ours)
            .expect("an open node");
        client.client.connect(1.0, theirs).expect("an open client");
        calls.push(client.begin_put("key", "value"));
    }
    // Each opens its session: seven wait for the first.
    let waiting = |index: u32| number(&status(&host), &format!("groups.{index}.waiting")) >= 1.0;
    until("all wait for the round", || (0..8).all(waiting)).await;
    script("a.gate = undefined; a.release()", &[&storage]);
    for (client, call) in clients.iter().zip(calls) {
        client.answer(call).await;
    }
    let shared = script(
        "return Math.max(...a.writes.slice(b).map((keys) => keys.length))",
        &[&storage, &writes.into()],
    );
    assert!(
        shared.as_f64() >= Some(7.0),
        "seven groups share a round: {shared:?}"
    );
    for index in 0..8 {
        assert_eq!(number(&status(&host), &format!("groups.{index}.keys")), 1.0);
    }
    close(&host).await;
}

#[wasm_bindgen_test]
async fn a_follower_that_was_away_long_gets_a_snapshot() {
    let name = unique("snapshot");
    let settings = |id| {
        let settings = with(&config(&name, id, 3), "storage", &memory_storage());
        let settings = with(&settings, "snapshotEntries", &20.into());
        with(
            &with(&settings, "keepEntries", &1.into()),
            "snapshotChunkBytes",
            &64.into(),
        )
    };
    let mut cluster = Cluster::open((1..=3).map(settings).collect()).await;
    let client = TestClient::new(3);
    for index in 0..3 {
        cluster.connect_client(&client, index);
    }
    client.put("first", "1").await;
    let away = (cluster.leader().await + 1) % 3;
    cluster.kill(away);
    client
        .client
        .disconnect(away as f64 + 1.0)
        .expect("an open client");
    for number in 0..60 {
        client.put(&format!("key-{number}"), "value").await;
    }
    cluster.start(away).await;
    let caught_up = || number(&status(cluster.node(away)), "groups.0.keys") == 61.0;
    until("it has everything", caught_up).await;
    assert!(number(&status(cluster.node(away)), "groups.0.snapshotIndex") > 0.0);
    // It recovers from that snapshot alone.
    cluster.kill(away);
    cluster.start(away).await;
    until("it has everything again", || {
        number(&status(cluster.node(away)), "groups.0.keys") == 61.0
    })
    .await;
    cluster.close().await;
}

#[wasm_bindgen_test]
async fn progress_is_told_but_not_too_often() {
    let storage = with(
        &config(&unique("progress"), 1, 1),
        "storage",
        &memory_storage(),
    );
    let (host, heard) = open(&with(&storage, "progressIntervalMs", &200.into())).await;
    let start = js_sys::Date::now();
    let client = TestClient::new(1);
    let (ours, theirs) = channel();
    host.connect_client(1.0, ours).expect("an open node");
    client.client.connect(1.0, theirs).expect("an open client");
    for number in 0..100 {
        client.put("key", &number.to_string()).await;
    }
    let reached = |event: &JsValue| {
        (text(event, "type") == "progress" && number(event, "applied") >= 101.0).then_some(())
    };
    heard.next("the last progress is told", reached).await;
    let intervals = (js_sys::Date::now() - start) / 200.0;
    let told = heard
        .all()
        .iter()
        .filter(|event| text(event, "type") == "progress")
        .count();
    assert!(
        told as f64 <= intervals + 3.0,
        "{told} in {intervals} intervals"
    );
    close(&host).await;
}

#[wasm_bindgen_test]
async fn a_peer_that_goes_is_probed_and_a_client_that_goes_waits_no_more() {
    let settings: Vec<JsValue> = {
        let name = unique("gone");
        let settings = |id| with(&config(&name, id, 3), "storage", &memory_storage());
        (1..=3).map(settings).collect()
    };
    let mut cluster = Cluster::open(settings).await;
    let client = TestClient::new(3);
    for index in 0..3 {
        cluster.connect_client(&client, index);
    }
    client.put("a", "1").await;
    let leader = cluster.leader().await;
    let group = |path: &str| format!("groups.0.{path}");
    let mode = |cluster: &Cluster, peer: usize| {
        let peers: js_sys::Array = property(&status(cluster.node(leader)), &group("peers")).into();
        let is = |entry: &JsValue| number(entry, "id") as usize == peer + 1;
        peers.iter().find(is).map(|entry| text(&entry, "mode"))
    };
    let (first, second) = ((leader + 1) % 3, (leader + 2) % 3);
    for peer in [first, second] {
        let replicates = || mode(&cluster, peer).as_deref() == Some("replicate");
        until("both are in step", replicates).await;
    }
    cluster.kill(first);
    assert_eq!(mode(&cluster, first).as_deref(), Some("probe"));
    assert_eq!(mode(&cluster, second).as_deref(), Some("replicate"));

    // Without the other follower nobody confirms the leader: the read waits on it.
    cluster.kill(second);
    client.begin_get("a");
    let waiting = |cluster: &Cluster| number(&status(cluster.node(leader)), &group("waiting"));
    until("the call waits", || waiting(&cluster) == 1.0).await;
    cluster
        .node(leader)
        .disconnect_client(1.0)
        .expect("an open node");
    assert_eq!(waiting(&cluster), 0.0);
    cluster.close().await;
}
