//! Which refusals are told: pure.
//!
//! The first of its sort is told at once; those like it are counted, and told together after a minute, then after
//! two, four, and so on up to an hour. Of each class of refusals 20 sorts are told at once, and one more every five
//! minutes; what goes beyond that is counted without saying from whom. So strangers cannot hide what users are
//! refused, and the other way round.

use std::{collections::HashMap, net::IpAddr, time::Duration};

use crate::domain::{AuditAction, AuditKind, AuditRow, Now, Refusal, Uptime, Wall, network};

/// Sorts of one class that are told at once.
const BURST: u32 = 20;

/// The time after which one more is.
const EVERY: Duration = Duration::from_secs(5 * 60);

/// After what time those alike are told together: at first, and at the most.
const FIRST: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(3_600);

/// Who is named where nobody can be.
const OTHERS: &str = "others";

/// Refusals that cannot hide each other's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Class {
    /// Of whom nothing is known.
    Stranger,
    /// Of whom says who he is.
    Login,
    /// Of users.
    User,
    /// Of those who may change things.
    Change,
}

/// Refusals that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Sort {
    action: AuditAction,
    from: IpAddr,
    /// Who, and for what; nothing where strangers could make up as many as they like.
    of: Option<(String, String)>,
}

/// Those alike, since one was told.
#[derive(Debug)]
struct Alike {
    last: Refusal,
    last_at: Wall,
    times: u32,
    told: Uptime,
    wait: Duration,
}

/// Those of a class that were not told of which sort they are.
#[derive(Debug)]
struct Others {
    action: AuditAction,
    status: u16,
    at: Wall,
    times: u32,
}

/// What was refused lately.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    alike: HashMap<Sort, Alike>,
    /// When as many sorts as ever may be told at once again.
    rested: HashMap<Class, Uptime>,
    others: HashMap<Class, Others>,
    /// When the others were told last.
    told: Uptime,
}

impl Refusals {
    /// Something was refused; the row that tells it, if it is news.
    pub(super) fn refused(&mut self, refusal: Refusal, now: Now) -> Option<AuditRow> {
        let class = class(refusal.action);
        let open = matches!(class, Class::Stranger | Class::Login);
        let of = (!open).then(|| (refusal.by.clone(), refusal.subject.clone()));
        let sort = Sort { action: refusal.action, from: network(refusal.from), of };
        if let Some(alike) = self.alike.get_mut(&sort) {
            alike.times += 1;
            (alike.last, alike.last_at) = (refusal, now.wall);
            return None;
        }
        let rested = self.rested.entry(class).or_default();
        if now.uptime < *rested - EVERY * (BURST - 1) {
            let others = Others { action: refusal.action, status: refusal.status, at: now.wall, times: 0 };
            let others = self.others.entry(class).or_insert(others);
            (others.at, others.times) = (now.wall, others.times + 1);
            return None;
        }
        *rested = (*rested).max(now.uptime) + EVERY;
        let row = row(&refusal, now.wall, 1);
        let alike = Alike { last: refusal, last_at: now.wall, times: 0, told: now.uptime, wait: FIRST };
        self.alike.insert(sort, alike);
        Some(row)
    }

    /// The rows of those that were counted long enough; with `all`, of all.
    pub(super) fn due(&mut self, now: Now, all: bool) -> Vec<AuditRow> {
        let mut rows = Vec::new();
        self.alike.retain(|_, alike| {
            if !all && now.uptime < alike.told + alike.wait {
                return true;
            }
            if alike.times == 0 {
                // It has ended; the next one is news.
                return false;
            }
            rows.push(row(&alike.last, alike.last_at, alike.times));
            (alike.times, alike.told) = (0, now.uptime);
            alike.wait = (alike.wait * 2).min(LONGEST);
            true
        });
        if all || now.uptime >= self.told + EVERY {
            self.told = now.uptime;
            for (_, Others { action, status, at, times }) in self.others.drain() {
                let (subject, by) = (OTHERS.to_owned(), OTHERS.to_owned());
                rows.push(AuditRow {
                    at,
                    kind: AuditKind::Refusal,
                    action,
                    subject,
                    by,
                    from: None,
                    status: Some(status),
                    times,
                    changes: None,
                });
            }
        }
        rows.sort_by_key(|row| row.at.micros());
        rows
    }
}

const fn class(action: AuditAction) -> Class {
    match action {
        AuditAction::WrongHost | AuditAction::WrongOrigin => Class::Stranger,
        AuditAction::WrongLogin | AuditAction::TooManyLogins | AuditAction::WrongToken => Class::Login,
        AuditAction::NotAllowed | AuditAction::NotTheOwner => Class::User,
        AuditAction::Created
        | AuditAction::Replaced
        | AuditAction::Updated
        | AuditAction::Deleted
        | AuditAction::PasswordChanged
        | AuditAction::Rotated
        | AuditAction::BackedUp
        | AuditAction::Restored
        | AuditAction::Began
        | AuditAction::Ended
        | AuditAction::BadChange => Class::Change,
    }
}

fn row(refusal: &Refusal, at: Wall, times: u32) -> AuditRow {
    AuditRow {
        at,
        kind: AuditKind::Refusal,
        action: refusal.action,
        subject: refusal.subject.clone(),
        by: refusal.by.clone(),
        from: Some(refusal.from.to_canonical().to_string()),
        status: Some(refusal.status),
        times,
        changes: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Now {
        let since = Duration::from_secs(10_000 + seconds);
        Now { uptime: Uptime::new(since), wall: Wall::from_micros(i64::try_from(since.as_micros()).unwrap()) }
    }

    fn refusal(action: AuditAction, by: &str, from: u32) -> Refusal {
        let from = IpAddr::from(from.to_be_bytes());
        Refusal { action, subject: "PUT /x".to_owned(), by: by.to_owned(), from, status: 403 }
    }

    use AuditAction::{BadChange, NotAllowed, WrongHost, WrongLogin};

    #[test]
    fn the_first_is_told_at_once_and_those_like_it_together() {
        let mut refusals = Refusals::default();
        let told = refusals.refused(refusal(WrongLogin, "a", 1), at(0)).unwrap();
        assert_eq!((told.times, told.by.as_str(), told.from.as_deref()), (1, "a", Some("0.0.0.1")));
        for second in 1..=10 {
            assert_eq!(refusals.refused(refusal(WrongLogin, "b", 1), at(second)), None, "who, is made up");
        }
        assert_eq!(refusals.due(at(59), false), []);
        let [together] = refusals.due(at(60), false).try_into().unwrap();
        assert_eq!((together.times, together.by.as_str(), together.at), (10, "b", at(10).wall));
        assert_eq!(refusals.due(at(179), false), []);
        refusals.refused(refusal(WrongLogin, "b", 1), at(179));
        assert_eq!(refusals.due(at(180), false).len(), 1, "after twice the time");
        assert_eq!(refusals.due(at(420), false), [], "it has ended");
        assert!(refusals.refused(refusal(WrongLogin, "b", 1), at(421)).is_some(), "and is news again");
        refusals.refused(refusal(WrongLogin, "b", 1), at(422));
        assert_eq!(refusals.due(at(422), true).len(), 1, "nothing is lost at the end");
    }

    #[test]
    fn a_flood_from_anywhere_costs_few_rows_and_hides_nothing_of_another_class() {
        let mut refusals = Refusals::default();
        let (mut rows, mut counted) = (0, 0);
        for second in 0..86_400 {
            for source in 0..3 {
                let from = u32::try_from(second).unwrap() * 3 + source;
                counted += 1;
                rows += refusals.refused(refusal(WrongLogin, "x", from), at(second)).iter().count();
            }
            rows += refusals.due(at(second), false).len();
        }
        assert!(rows < 1_000, "{rows} rows of {counted}");
        assert!(refusals.alike.len() < 50, "{}", refusals.alike.len());
        for action in [WrongHost, NotAllowed, BadChange] {
            assert!(refusals.refused(refusal(action, "x", 1), at(86_400)).is_some());
        }
    }

    #[test]
    fn every_refusal_is_counted_in_some_row() {
        let mut refusals = Refusals::default();
        let mut told = 0;
        for second in 0..1_000_u32 {
            let now = at(u64::from(second) / 10);
            let refusal = refusal(NotAllowed, &format!("user {}", second % 30), second % 7);
            told += refusals.refused(refusal, now).map_or(0, |row| row.times);
            told += refusals.due(now, false).iter().map(|row| row.times).sum::<u32>();
        }
        told += refusals.due(at(101), true).iter().map(|row| row.times).sum::<u32>();
        assert_eq!(told, 1_000);
    }
}
