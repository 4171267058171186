//! From settings to a running node: lock, storage, records, identity, groups.
//!
//! A fresh storage gets a name of its own, and its node waits to be told of a cluster: it may be new,
//! or have forgotten whatever it promised. Only its owner, who sees the other nodes, can tell.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Function, Promise};
use quorate_raft::{ConfState, CorruptState, Instant, Random, Table};
use quorate_rsm::storage::{Ident, Loaded, LoadedGroup, Round, load};
use quorate_rsm::{Node, NodeConfig, OpenError};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;

use crate::config::HostConfig;
use crate::entropy;
use crate::error::Failure;
use crate::event::HostEvent;
use crate::groups::{Group, Groups};
#[cfg(feature = "shards")]
use crate::hosting::Hosting;
use crate::indexed_db::{DATABASE_VERSION, IndexedDb};
use crate::js_storage::JsStorage;
use crate::lock::Lock;
use crate::machine::{Machine, MachineObject};
use crate::shared::{Identity, Platform, Shared};
use crate::storage::{Sink, Storage, StorageEvent};
use crate::timer;

/// A node whose storage is open, and which waits to be told of its cluster.
pub struct Opened {
    config: HostConfig,
    ident: Ident,
    groups: Table<u32, LoadedGroup>,
    platform: Platform,
    /// Why the storage went away meanwhile, if it did.
    gone: Rc<RefCell<Option<Failure>>>,
    #[cfg(feature = "shards")]
    hosting: Option<Hosting>,
}

/// Locks, opens and reads a node's storage. Whatever fails, nothing stays open or locked.
pub async fn open(config: HostConfig, on_event: Function) -> Result<Opened, Failure> {
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
    let platform = Platform {
        storage,
        lock,
        sink,
        on_event,
    };
    let read = read(&config, &platform).await;
    // A storage that was taken away says why, better than what failed for it.
    let taken = gone.borrow_mut().take();
    match taken.map_or(read, Err) {
        Ok((ident, groups)) => Ok(Opened {
            config,
            ident,
            groups,
            platform,
            gone,
            #[cfg(feature = "shards")]
            hosting: None,
        }),
        Err(failure) => {
            platform.close().await;
            Err(failure)
        }
    }
}

impl Opened {
    /// Whose storage this is.
    pub fn ident(&self) -> &Ident {
        &self.ident
    }

    /// Whether the node knows its cluster, and can start.
    pub fn is_founded(&self) -> bool {
        self.ident.cluster_id != 0
    }

    /// Gives everything back.
    pub async fn close(self) {
        self.platform.close().await;
    }

    /// Tells the node its cluster, once and durably: the members it is founded with, or none if the
    /// node comes later and waits to be added.
    pub async fn found(&mut self, cluster_id: u64, founders: ConfState) -> Result<(), Failure> {
        let ident = Ident {
            cluster_id,
            founders,
            ..self.ident.clone()
        };
        let mut round = Round::default();
        ident.put(&mut round);
        write(&self.platform, &round).await?;
        self.gone = listen(&self.platform.sink, self.platform.on_event.clone());
        self.ident = ident;
        Ok(())
    }

    /// Starts the node.
    pub async fn start(mut self) -> Result<Rc<Shared>, Failure> {
        let taken = self.gone.borrow_mut().take();
        // Who it is, and that nobody else writes here, was strict.
        if self.config.node_config.raft.relaxed {
            self.platform.storage.relax();
        }
        match taken.map_or_else(|| self.prepare(), Err) {
            Ok((identity, groups, random)) => Ok(Shared::start(
                identity,
                groups,
                self.platform,
                self.config.progress_interval_ms,
                random,
                self.config.probe,
                #[cfg(feature = "shards")]
                self.hosting,
            )),
            Err(failure) => {
                self.platform.close().await;
                Err(failure)
            }
        }
    }

    fn prepare(&mut self) -> Result<(Identity, Groups, Random), Failure> {
        let (config, ident) = (&self.config, &self.ident);
        let mut random = Random::new(entropy::seed()?);
        let now = timer::now();
        let groups = open_groups(config, ident, &mut self.groups, now, &mut random)?;
        #[cfg(feature = "shards")]
        let mut groups = groups;
        #[cfg(feature = "shards")]
        if config.sharded {
            groups.refuse_others();
            let node_config = node_config(config, ident);
            self.hosting = Some(Hosting::new(node_config, ident, &mut random));
        }
        let identity = Identity {
            cluster: ident.cluster.clone(),
            node: ident.node,
            storage: ident.storage,
            cluster_id: ident.cluster_id,
            founders: ident.founders.clone(),
        };
        Ok((identity, groups, random))
    }
}

/// The nodes of all groups, with what their storage holds of them.
pub(crate) fn open_groups(
    config: &HostConfig,
    ident: &Ident,
    groups: &mut Table<u32, LoadedGroup>,
    now: Instant,
    random: &mut Random,
) -> Result<Groups, Failure> {
    let mut members = Groups::new(ident.cluster_id);
    let hosted = config.groups.iter().copied();
    // Which groups a node of a sharded store has, beside the controller, is in its records.
    #[cfg(feature = "shards")]
    let stored: Vec<u32> = groups
        .keys()
        .filter(|id| config.sharded && *id > 0)
        .collect();
    #[cfg(feature = "shards")]
    let hosted = hosted.chain(stored);
    for id in hosted {
        let loaded = groups.remove(id);
        let LoadedGroup {
            restored,
            chunks,
            layout,
        } = loaded.unwrap_or_else(|| LoadedGroup::fresh(id, &ident.founders));
        let seed = random.next_u64();
        let machine = Machine::new(config.machine.as_ref());
        #[cfg(feature = "shards")]
        let machine = match config.sharded {
            true => Machine::of_group(id),
            false => machine,
        };
        let opened = Node::new(
            node_config(config, ident),
            restored,
            chunks,
            machine,
            now,
            seed,
        );
        // A machine that refuses its snapshot says why, better than what came of that.
        if let Some(failure) = config.machine.as_ref().and_then(MachineObject::failed) {
            return Err(failure);
        }
        let node = opened.map_err(|error| open_failure(id, &error))?;
        members.add(id, Group::new(node, layout));
    }
    Ok(members)
}

/// What each group's node is told.
fn node_config(config: &HostConfig, ident: &Ident) -> NodeConfig {
    let mut node_config = config.node_config.clone();
    node_config.raft.storage = ident.storage;
    node_config
}

/// Until the node runs, only waiting is told; a storage that goes meanwhile is remembered.
fn listen(sink: &Sink, on_event: Function) -> Rc<RefCell<Option<Failure>>> {
    let gone = Rc::new(RefCell::new(None));
    let noted = gone.clone();
    sink.listen(move |event| match event {
        StorageEvent::Blocked => {
            let event = HostEvent::storage_blocked();
            let _ = on_event.call1(&JsValue::UNDEFINED, event.value());
        }
        StorageEvent::Gone(failure) => *noted.borrow_mut() = Some(failure),
        StorageEvent::Written | StorageEvent::Failed(_) => {}
    });
    gone
}

async fn read(
    config: &HostConfig,
    platform: &Platform,
) -> Result<(Ident, Table<u32, LoadedGroup>), Failure> {
    let Loaded { ident, groups } = load(platform.storage.load().await?)?;
    let ident = match ident {
        // It was never told of a cluster: nothing binds it to the machine that it was made for.
        Some(ident) if ident.cluster_id == 0 && ident.machine != kind(config) => {
            check(
                config,
                Ident {
                    machine: kind(config),
                    ..ident
                },
            )?;
            make(config, platform).await?
        }
        Some(ident) => check(config, ident)?,
        None => make(config, platform).await?,
    };
    Ok((ident, groups))
}

/// Whether the storage is this node's.
fn check(config: &HostConfig, ident: Ident) -> Result<Ident, Failure> {
    let foreign = |message| Err(Failure::new("STORAGE_FOREIGN", message));
    if ident.cluster != config.cluster || ident.node != config.node {
        foreign(format!(
            "this storage belongs to node {} of cluster \"{}\", not to node {} of \"{}\"",
            ident.node.0, ident.cluster, config.node.0, config.cluster
        ))
    } else if (ident.machine ^ kind(config)) & RELAXED != 0 {
        let (made, opened) = match config.node_config.raft.relaxed {
            true => ("strict", "relaxed"),
            false => ("relaxed", "strict"),
        };
        foreign(format!(
            "this storage was made with durability \"{made}\", and is not opened with \"{opened}\""
        ))
    } else if ident.machine != kind(config) {
        let message = "another kind of machine made this storage: what a key-value store made is \
                       opened without a machine, what a machine made with that";
        Err(Failure::new("MACHINE_MISMATCH", message))
    } else {
        Ok(ident)
    }
}

/// 0 for the key-value store, 1 for a machine of the user's own, 4 for a sharded store; and whether
/// writes are relaxed.
fn kind(config: &HostConfig) -> u64 {
    let relaxed = if config.node_config.raft.relaxed {
        RELAXED
    } else {
        0
    };
    let kind = u64::from(config.machine.is_some()) | relaxed;
    #[cfg(feature = "shards")]
    let kind = kind | if config.sharded { SHARDED } else { 0 };
    kind
}

const RELAXED: u64 = 2;
#[cfg(feature = "shards")]
const SHARDED: u64 = 4;

/// Gives a fresh storage its identity. Of a cluster it knows nothing yet, unless the caller vouches
/// for the storages of all its voters.
async fn make(config: &HostConfig, platform: &Platform) -> Result<Ident, Failure> {
    let vouched = !config.voters.is_empty();
    let ident = Ident {
        cluster: config.cluster.clone(),
        node: config.node,
        storage: entropy::storage_id()?,
        cluster_id: if vouched { tag(&config.cluster) } else { 0 },
        founders: ConfState::new(config.voters.iter().copied()),
        machine: kind(config),
    };
    let mut round = Round::default();
    ident.put(&mut round);
    write(platform, &round).await?;
    Ok(ident)
}

/// Writes one round and waits for it.
async fn write(platform: &Platform, round: &Round) -> Result<(), Failure> {
    let ended = Rc::new(RefCell::new(Ok(())));
    let mut begun = Ok(());
    let promise = Promise::new(&mut |resolve, _| {
        let noted = ended.clone();
        let wake = resolve.clone();
        platform.sink.listen(move |event| {
            if let StorageEvent::Failed(failure) | StorageEvent::Gone(failure) = event {
                *noted.borrow_mut() = Err(failure);
            }
            let _ = wake.call0(&JsValue::UNDEFINED);
        });
        begun = platform.storage.write(round);
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

/// The id of a cluster whose voters the caller vouches for: FNV-1a of its name.
fn tag(name: &str) -> u64 {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    hash | 1
}
