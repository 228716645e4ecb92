//! A session is its maker's from the first moment on, or it is not there.

use client_failover::{
    domain::{AuditAction, AuditKind, AuditRow, Deed, GroupKey, GroupSpec, Place, SessionId, UserName, Wall},
    endpoint::{self, Call, CallError, Endpoint},
    store::{DataFolder, Store},
    wire::{
        endpoint::{read_group, read_session},
        heartbeat::read_heartbeat,
        members::{Content, Members},
    },
};
use futures_util::future::{join, join3};
use tokio::task::yield_now;

pub fn members(text: &str) -> Members {
    Content::parse(text.as_bytes()).unwrap().object().unwrap()
}

fn user(name: &str) -> UserName {
    UserName::new(name).unwrap()
}

fn told() -> AuditRow {
    let deed = Deed { kind: AuditKind::Group, action: AuditAction::Created, subject: "G".to_owned() };
    AuditRow::of_deed(deed, Wall::from_micros(0), "maker".to_owned(), None)
}

/// An endpoint with a group, without a socket: what meets in it meets in a known order.
struct Site {
    endpoint: Endpoint,
    store: Store,
    group: GroupKey,
    folder: tempfile::TempDir,
}

impl Site {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let endpoint = Endpoint::open(store.clone(), endpoint::Settings::default()).await.unwrap();
        let group: GroupSpec =
            read_group(Place::OnPremises, members(r#"{"Id": "G", "FailoverTimeout": "00:01:00"}"#)).unwrap();
        let key = group.key();
        endpoint.create_group(group, &told()).await.unwrap();
        Self { endpoint, store, group: key, folder }
    }

    async fn register(&self, id: &SessionId, by: &str) -> Call<bool> {
        let spec = read_session(members(&format!(r#"{{"Id": "{id}"}}"#))).unwrap();
        self.endpoint.create_session(&self.group, spec, Some(&user(by))).await.map(|made| made.new)
    }

    async fn remove(&self, id: &SessionId, by: &str) -> Call<()> {
        self.endpoint.delete_session(&self.group, id, Some(&user(by)), None).await
    }

    /// Sends heartbeats until there is a session that they may be of.
    async fn beat(&self, id: &SessionId, by: &str) -> Call<()> {
        let heartbeat = read_heartbeat(members(r#"{"FailoverScore": 1}"#)).unwrap();
        loop {
            match self.endpoint.heartbeat(&self.group, id, Some(&user(by)), &heartbeat, None).await {
                Err(CallError::UnknownSession) => yield_now().await,
                answered => return answered.map(drop),
            }
        }
    }

    fn sqlite(&self, sql: &str) {
        let mut shell = std::process::Command::new("sqlite3");
        let ran = shell.arg(self.folder.path().join("failover.db")).arg(sql).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    }
}

#[tokio::test]
async fn who_asks_while_a_session_is_made_neither_removes_it_nor_is_heard_for_it() {
    let site = Site::open().await;
    for round in 0..50 {
        let id = SessionId::new(format!("s{round}")).unwrap();
        // The removal waits for its turn behind the registration; the heartbeats come in between.
        let (made, removed, heard) =
            join3(site.register(&id, "maker"), site.remove(&id, "other"), site.beat(&id, "other")).await;
        assert!(made.unwrap());
        assert!(matches!(removed, Err(CallError::OfAnother)), "{removed:?}");
        assert!(matches!(heard, Err(CallError::OfAnother)), "{heard:?}");
        site.beat(&id, "maker").await.unwrap();
    }
}

#[tokio::test]
async fn who_beats_while_a_session_is_removed_is_not_heard_for_it() {
    let site = Site::open().await;
    for round in 0..50 {
        let id = SessionId::new(format!("s{round}")).unwrap();
        site.register(&id, "maker").await.unwrap();
        let others = async {
            loop {
                let heartbeat = read_heartbeat(members(r#"{"FailoverScore": 1}"#)).unwrap();
                let by = user("other");
                match site.endpoint.heartbeat(&site.group, &id, Some(&by), &heartbeat, None).await {
                    Err(CallError::OfAnother) => yield_now().await,
                    answered => return answered.map(drop),
                }
            }
        };
        let (removed, heard) = join(site.remove(&id, "maker"), others).await;
        removed.unwrap();
        assert!(matches!(heard, Err(CallError::UnknownSession)), "{heard:?}");
    }
}

#[tokio::test]
async fn a_session_whose_maker_cannot_be_written_down_is_not_made() {
    let site = Site::open().await;
    let id = SessionId::new("s").unwrap();
    site.sqlite(
        "create trigger no_owner before insert on endpoint_session_owner
         begin select raise(abort, 'the disk is full'); end",
    );
    assert!(matches!(site.register(&id, "maker").await, Err(CallError::Store(_))));
    assert!(site.endpoint.sessions(&site.group).unwrap().is_empty());
    assert!(site.store.hosted().await.unwrap().sessions.is_empty(), "nor is it nobody's after a restart");
    site.sqlite("drop trigger no_owner");
    assert!(site.register(&id, "other").await.unwrap());
    assert!(matches!(site.beat(&id, "maker").await, Err(CallError::OfAnother)));
    let owners = site.store.session_owners().await.unwrap();
    assert_eq!(owners, [(site.group.clone(), id, user("other"))]);
}

#[tokio::test]
async fn a_session_that_was_made_before_there_were_users_is_the_first_ones_who_registers_it() {
    let site = Site::open().await;
    let id = SessionId::new("s").unwrap();
    let spec = read_session(members(r#"{"Id": "s"}"#)).unwrap();
    assert!(site.endpoint.create_session(&site.group, spec, None).await.unwrap().new);
    site.beat(&id, "anybody").await.unwrap();
    assert!(!site.register(&id, "first").await.unwrap());
    site.beat(&id, "first").await.unwrap();
    assert!(matches!(site.register(&id, "second").await, Err(CallError::OfAnother)));
    assert!(matches!(site.beat(&id, "second").await, Err(CallError::OfAnother)));
}

#[tokio::test]
async fn a_session_that_is_made_anew_is_not_his_who_had_it_before() {
    let site = Site::open().await;
    let id = SessionId::new("s").unwrap();
    site.register(&id, "maker").await.unwrap();
    site.remove(&id, "maker").await.unwrap();
    assert!(site.register(&id, "other").await.unwrap());
    assert!(matches!(site.register(&id, "maker").await, Err(CallError::OfAnother)));
    site.remove(&id, "other").await.unwrap();
    assert!(site.store.session_owners().await.unwrap().is_empty());
}
