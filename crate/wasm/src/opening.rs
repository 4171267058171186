//! From settings to a running node: lock, storage, records, identity, groups.
//!
//! A fresh storage gets its identity first, durable before anything is sent: a node that later
//! finds no identity knows that it has forgotten whatever it promised.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Promise};
use quorate_kv::Kv;
use quorate_raft::{CorruptState, Random, Table};
use quorate_rsm::storage::{Ident, Loaded, LoadedGroup, Round, load};
use quorate_rsm::{Node, OpenError};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::config::HostConfig;
use crate::convert;
use crate::entropy;
use crate::error::Failure;
use crate::event::HostEvent;
use crate::groups::{Group, Groups};
use crate::indexed_db::{DATABASE_VERSION, IndexedDb};
use crate::js_storage::JsStorage;
use crate::lock::Lock;
use crate::shared::{Identity, Platform, Shared};
use crate::storage::{Sink, Storage, StorageEvent};
use crate::timer;

/// Opens a node and starts it. Whatever fails, nothing stays open or locked.
pub async fn open(config: HostConfig, on_event: Function) -> Result<Rc<Shared>, Failure> {
    let sink = Sink::default();
    let gone = listen(&sink, on_event.clone());
    let lock = match config.lock {
        true => Lock::acquire(&config.place(), config.lock_wait_ms, &sink).await?,
        false => None,
    };
    let storage = match &config.storage {
        Some(object) => Storage::Js(JsStorage::new(object.clone(), &sink)?),
        None => {
            let (name, timeout_ms) = (config.place(), config.open_timeout_ms);
            Storage::IndexedDb(IndexedDb::open(&name, DATABASE_VERSION, timeout_ms, &sink).await?)
        }
    };
    let prepared = prepare(&config, &storage, &sink).await;
    // A storage that was taken away says why, better than what failed for it.
    let taken = gone.borrow_mut().take();
    match taken.map_or(prepared, Err) {
        Ok((identity, groups, random)) => {
            let platform = Platform {
                storage,
                lock,
                sink,
                on_event,
            };
            Ok(Shared::start(
                identity,
                groups,
                platform,
                config.progress_interval_ms,
                random,
            ))
        }
        Err(failure) => {
            sink.mute();
            storage.close().await;
            Err(failure)
        }
    }
}

/// Until the node runs, only waiting is told; a storage that goes meanwhile is remembered.
fn listen(sink: &Sink, on_event: Function) -> Rc<RefCell<Option<Failure>>> {
    let gone = Rc::new(RefCell::new(None));
    let noted = gone.clone();
    sink.listen(move |event| match event {
        StorageEvent::Blocked => {
            let event = convert::write(&HostEvent::StorageBlocked);
            let _ = on_event.call1(&JsValue::UNDEFINED, &event);
        }
        StorageEvent::Gone(failure) => *noted.borrow_mut() = Some(failure),
        StorageEvent::Written | StorageEvent::Failed(_) => {}
    });
    gone
}

async fn prepare(
    config: &HostConfig,
    storage: &Storage,
    sink: &Sink,
) -> Result<(Identity, Groups, Random), Failure> {
    let Loaded { ident, mut groups } = load(storage.load().await?)?;
    let ident = match ident {
        Some(ident) => check(config, ident)?,
        None => found(config, storage, sink).await?,
    };
    let now = timer::now();
    let mut random = Random::new(entropy::seed()?);
    let mut members = Table::default();
    for &id in &config.groups {
        let loaded = groups
            .remove(id)
            .unwrap_or_else(|| LoadedGroup::fresh(id, &ident.voters));
        let LoadedGroup {
            restored,
            chunks,
            layout,
        } = loaded;
        let seed = random.next_u64();
        let node = Node::new(
            config.node_config.clone(),
            restored,
            &chunks,
            Kv::new(),
            now,
            seed,
        )
        .map_err(|error| open_failure(id, &error))?;
        members.insert(id, Group::new(node, layout));
    }
    let tag = cluster_tag(&ident.cluster);
    let identity = Identity {
        cluster: ident.cluster,
        node: ident.node,
        storage_id: ident.storage_id,
        tag,
    };
    Ok((identity, Groups::new(members, tag), random))
}

/// Whether the storage is this node's.
fn check(config: &HostConfig, ident: Ident) -> Result<Ident, Failure> {
    let foreign = |message| Err(Failure::new("STORAGE_FOREIGN", message));
    if ident.cluster != config.cluster || ident.node != config.node {
        foreign(format!(
            "this storage belongs to node {} of cluster \"{}\", not to node {} of \"{}\"",
            ident.node.0, ident.cluster, config.node.0, config.cluster
        ))
    } else if ident.voters != config.voters {
        foreign(format!(
            "this storage belongs to a cluster founded by {:?}, not by {:?}",
            ident.voters, config.voters
        ))
    } else {
        Ok(ident)
    }
}

/// Gives a fresh storage its identity.
async fn found(config: &HostConfig, storage: &Storage, sink: &Sink) -> Result<Ident, Failure> {
    let ident = Ident {
        cluster: config.cluster.clone(),
        node: config.node,
        storage_id: entropy::storage_id()?,
        voters: config.voters.clone(),
    };
    let mut round = Round::default();
    ident.put(&mut round);
    write(storage, sink, &round).await?;
    Ok(ident)
}

/// Writes one round and waits for it.
async fn write(storage: &Storage, sink: &Sink, round: &Round) -> Result<(), Failure> {
    let ended = Rc::new(RefCell::new(Ok(())));
    let mut begun = Ok(());
    let promise = Promise::new(&mut |resolve, _| {
        let noted = ended.clone();
        let wake = resolve.clone();
        sink.listen(move |event| {
            if let StorageEvent::Failed(failure) | StorageEvent::Gone(failure) = event {
                *noted.borrow_mut() = Err(failure);
            }
            let _ = wake.call0(&JsValue::UNDEFINED);
        });
        begun = storage.write(round);
    });
    begun?;
    // The promise never rejects.
    let _ = JsFuture::from(promise).await;
    ended.replace(Ok(()))
}

fn open_failure(group: u32, error: &OpenError) -> Failure {
    match error {
        OpenError::Corrupt(CorruptState::Config(what)) => Failure::argument(*what),
        OpenError::Corrupt(_) | OpenError::BadSnapshot(_) => {
            Failure::new("STORAGE_CORRUPT", error.to_string()).at(format!("{group:04x}"))
        }
    }
}

/// FNV-1a of the cluster's name: frames of another cluster, sent here by mistake, are refused.
fn cluster_tag(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}
