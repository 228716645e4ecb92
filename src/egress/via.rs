//! Which gates a request has come through, so that none goes round for ever.
//!
//! Gates may be chained: the destination of one is another adapter's gate. Where the last leads back to the first, each
//! request would be a new one at each of them, until connections or memory end. So each gate adds its name to what it
//! sends, and refuses what bears it already.

use hyper::{
    HeaderMap,
    header::{HeaderName, HeaderValue},
};
use uuid::Uuid;

/// The names of the gates that a request has come through, in their order.
const VIA: HeaderName = HeaderName::from_static("x-failover-via");

/// The name of one run of a gate, a random number. No two adapters have the same, also where a data folder was copied.
/// The next run has another: what waited when this one ended goes round once more.
#[derive(Debug, Clone)]
pub struct GateName(HeaderValue);

impl GateName {
    /// Another one each time.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are the same")]
    pub fn new() -> Self {
        Self(HeaderValue::from(Uuid::new_v4().as_u64_pair().1))
    }

    /// Whether what has these headers was sent by this gate before.
    #[must_use]
    pub fn is_on(&self, headers: &HeaderMap) -> bool {
        let values = headers.get_all(VIA).iter().map(HeaderValue::as_bytes);
        // What is between two gates may write several lines as one.
        values.flat_map(|value| value.split(|byte| *byte == b',')).any(|name| self.0 == name.trim_ascii())
    }

    /// Adds the name to what is sent.
    pub(super) fn put_on(&self, headers: &mut HeaderMap) {
        headers.append(VIA, self.0.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_through_a_gate_is_known_by_it_alone_however_many_follow() {
        let [first, second, third] = [(); 3].map(|()| GateName::new());
        let mut headers = HeaderMap::new();
        assert!(!first.is_on(&headers));
        first.put_on(&mut headers);
        second.put_on(&mut headers);
        assert_eq!([&first, &second, &third].map(|gate| gate.is_on(&headers)), [true, true, false]);
        let lines: Vec<_> = headers.get_all(VIA).iter().map(|line| line.to_str().unwrap()).collect();
        let joined = HeaderMap::from_iter([(VIA, HeaderValue::try_from(lines.join(" ,")).unwrap())]);
        assert_eq!([&first, &second, &third].map(|gate| gate.is_on(&joined)), [true, true, false]);
    }
}
