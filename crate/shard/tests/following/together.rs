//! Calls of one turn to shards of one group go to its node together.

use core::time::Duration;

use bytes::Bytes;
use quorate_raft::{Instant, NodeId};
use quorate_rsm::{Call, Reply as NodeReply};
use quorate_shard::{
    CONTROLLER, Configuration, ControllerReply, GroupId, GroupInfo, Outgoing, ShardClient,
    ShardClientConfig, ShardId, ShardOutput,
};

const SHARDS: u32 = 300;
const NODE: NodeId = NodeId(1);

/// What the client sends, all of it.
fn sent(client: &mut ShardClient) -> Vec<Outgoing> {
    let outputs = core::iter::from_fn(|| client.poll_output());
    let sent = outputs.filter_map(|output| match output {
        ShardOutput::Send(outgoing) => Some(outgoing),
        ShardOutput::Done { .. } => None,
    });
    sent.collect()
}

#[test]
fn calls_of_one_turn_share_what_is_sent() {
    let config = ShardClientConfig::new(vec![NODE], SHARDS);
    let mut client = ShardClient::new(config, 1);
    let now = Instant::default();
    let call = |client: &mut ShardClient, shard| {
        let call = Call::Read(Bytes::from_static(b"?"));
        let deadline = now.after(Duration::from_secs(60));
        let begun = client.call(now, ShardId(shard), call, deadline);
        begun.expect("few are open");
    };
    // The first has the controller asked, who says that one group has all.
    call(&mut client, 0);
    let asked = sent(&mut client);
    let [
        Outgoing {
            group, requests, ..
        },
    ] = &asked[..]
    else {
        panic!("{asked:?}");
    };
    assert_eq!(*group, CONTROLLER);
    let configuration = Configuration {
        number: 1,
        shards: vec![GroupId(1); SHARDS as usize],
        groups: [(GroupId(1), GroupInfo::new(vec![NODE]))]
            .into_iter()
            .collect(),
    };
    let reply = ControllerReply::Configuration {
        configuration,
        latest: 1,
    };
    let id = requests[0].id;
    let result = Ok(reply.encode());
    client.reply(now, CONTROLLER, NODE, NodeReply { id, result });
    assert_eq!(sent(&mut client).len(), 1);
    // The others of this turn are one message of 256, and one of the rest.
    for shard in 1..SHARDS {
        call(&mut client, shard);
    }
    let counts: Vec<_> = sent(&mut client)
        .iter()
        .map(|it| (it.group, it.to, it.requests.len()))
        .collect();
    let rest = SHARDS as usize - 1 - 256;
    assert_eq!(counts, [(GroupId(1), NODE, 256), (GroupId(1), NODE, rest)]);
}
