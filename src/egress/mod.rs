//! The egress gate: what a collector sends to its destinations goes through here.
//!
//! Promises: as Primary, path, query and body of a request go to its destination byte for byte, and the answer comes back; nothing is
//! written to a destination past the deadline, and an order that forbids sending counts as obeyed only once every
//! connection of the time before is gone. As a Hot Secondary, a request is on disk before it is answered, and is
//! sent after a promotion, in order and before anything newer. What was taken is settled in exactly one way:
//! acknowledged or refused by the destination, proved to have been settled by the other Primary, or dropped for
//! space; the last is said.
//!
//! Does not: send anything once only. What a crash or a demotion overtakes is sent again, here or by the other
//! adapter; the destination must take it twice. It cannot call back what a destination has received. Uptimes decide;
//! wall time is for people.
//!
//! `machine` decides, `gate` takes requests, `lane` knows what waits, `keeper` writes it and `sender` sends it,
//! `follower` follows the orders. It imports `domain`, `clock`, `store`, `recorder`, `tls` and `login`.

mod body;
mod connection;
mod destinations;
mod driver;
mod follower;
mod forward;
mod gate;
mod keeper;
mod lane;
pub mod machine;
mod news;
mod pool;
mod request;
mod sender;
mod telling;
mod ticket;
mod tls;
mod via;
mod view;

pub use body::Unread;
pub use driver::{Egress, OpenError};
pub use follower::Before;
pub use gate::{Answer, Gate, LaneReport, Refusal};
pub use pool::AnswerBody;
pub use request::{split, strip, strip_answer};
pub use via::GateName;
pub use view::retry_after;
