//! A destination that the collector sends to through the egress gate.

use std::ops::RangeInclusive;

use super::{
    Access, AccessDraft, ConfigurationId, DestinationKey, Fault, Faults, Field, MemberChange,
    access_draft::checked, config::differences,
};

/// What a base address of a destination looks like.
const EXAMPLE: &str = "https://historian:443/omf";

words! {
    /// What a standby that keeps nothing (Warm, Cold) answers its collector.
    StandbyAnswer {
        /// 503 with Retry-After: the collector keeps what it has, or drops it, by its own rules.
        Refuse,
        /// The answer of a request that was accepted; what it carried is dropped.
        Swallow,
    }
}

/// A destination that can be used as it is.
#[derive(Debug, Clone)]
pub struct DataEndpoint {
    id: ConfigurationId,
    access: Access,
    read_only_methods: Vec<String>,
    max_buffer_mb: u32,
    max_request_mb: u32,
    buffered_answer: u16,
    standby_answer: StandbyAnswer,
}

impl DataEndpoint {
    /// Methods that only ask, by HTTP's own definition.
    pub const READ_ONLY: [&str; 3] = ["GET", "HEAD", "OPTIONS"];
    /// How many methods may be called read-only, and how long they are: more than HTTP and WebDAV have that are.
    pub const METHODS_LIMIT: usize = 32;
    /// How large a buffer is by default, in MiB: a GiB.
    pub const DEFAULT_BUFFER_MB: u32 = 1_024;
    /// How large a buffer is at most, in MiB: 16 TiB.
    pub const LARGEST_BUFFER_MB: u32 = 16 * 1_024 * 1_024;
    /// How large a request's body may be by default, in MiB. It is held in memory while it is sent.
    pub const DEFAULT_REQUEST_MB: u32 = 16;
    /// How large a request's body may be at most, in MiB.
    pub const LARGEST_REQUEST_MB: u32 = 256;
    /// What the collector is answered for what is kept: 204 No Content.
    pub const DEFAULT_ANSWER: u16 = 204;
    /// What it may be answered: a success.
    pub const ANSWERS: RangeInclusive<u16> = 200..=299;

    /// The members, in the documents' order.
    pub const MEMBERS: [&str; 13] = [
        "Id",
        Access::MEMBERS[0],
        Access::MEMBERS[1],
        Access::MEMBERS[2],
        Access::MEMBERS[3],
        Access::MEMBERS[4],
        Access::MEMBERS[5],
        Access::MEMBERS[6],
        "ReadOnlyMethods",
        "MaxBufferSizeMB",
        "MaxRequestSizeMB",
        "BufferedAnswer",
        "StandbyAnswer",
    ];

    /// Id: names the destination in the gate's paths. Compares exactly.
    #[must_use]
    pub const fn id(&self) -> &ConfigurationId {
        &self.id
    }

    /// Names the destination among machines.
    #[must_use]
    pub fn key(&self) -> DestinationKey {
        DestinationKey::new(&self.id, self.access.endpoint())
    }

    /// How the destination is reached.
    #[must_use]
    pub const fn access(&self) -> &Access {
        &self.access
    }

    /// ReadOnlyMethods: pass in every role, and are never kept.
    #[must_use]
    pub fn read_only_methods(&self) -> &[String] {
        &self.read_only_methods
    }

    /// MaxBufferSizeMB, in bytes.
    #[must_use]
    pub const fn max_buffer_bytes(&self) -> u64 {
        self.max_buffer_mb as u64 * 1_024 * 1_024
    }

    /// MaxBufferSizeMB.
    #[must_use]
    pub const fn max_buffer_mb(&self) -> u32 {
        self.max_buffer_mb
    }

    /// MaxRequestSizeMB, in bytes.
    #[must_use]
    pub const fn max_request_bytes(&self) -> usize {
        self.max_request_mb as usize * 1_024 * 1_024
    }

    /// MaxRequestSizeMB.
    #[must_use]
    pub const fn max_request_mb(&self) -> u32 {
        self.max_request_mb
    }

    /// BufferedAnswer: the status that a request which is kept is answered with.
    #[must_use]
    pub const fn buffered_answer(&self) -> u16 {
        self.buffered_answer
    }

    /// StandbyAnswer: what a Warm or Cold Secondary answers.
    #[must_use]
    pub const fn standby_answer(&self) -> StandbyAnswer {
        self.standby_answer
    }

    /// What is allowed but should be known: each a sentence, with the Id.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let of = self.id.as_str();
        self.access.warnings().iter().map(|said| format!("Data endpoint {of:?}: {said}")).collect()
    }

    /// What a change from `old` to `new` changed, in the documents' order. Secrets are masked.
    #[must_use]
    pub fn changes(old: Option<&Self>, new: Option<&Self>) -> Vec<MemberChange> {
        let access = (old.map(Self::access), new.map(Self::access));
        differences(&Self::MEMBERS, old.map(Self::shown), new.map(Self::shown), access)
    }

    fn shown(&self) -> Vec<Option<String>> {
        let mut shown = vec![Some(self.id.to_string())];
        shown.extend(self.access.shown());
        shown.extend([
            Some(self.read_only_methods.join(", ")),
            Some(self.max_buffer_mb.to_string()),
            Some(self.max_request_mb.to_string()),
            Some(self.buffered_answer.to_string()),
            Some(self.standby_answer.to_string()),
        ]);
        shown
    }
}

/// What a request said of each member of a destination, before any rule was applied.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "each is the member of the same name")]
pub struct DataEndpointDraft {
    pub id: Field<String>,
    pub access: AccessDraft,
    pub read_only_methods: Field<Vec<String>>,
    pub max_buffer_mb: Field<i64>,
    pub max_request_mb: Field<i64>,
    pub buffered_answer: Field<i64>,
    pub standby_answer: Field<String>,
}

impl DataEndpointDraft {
    /// The whole destination that a POST or PUT asks for; `null` is as if left out.
    ///
    /// `stored` is what it replaces: a mask keeps its secret. Without an Id it gets the one of `stored`, or
    /// else `fresh`.
    ///
    /// # Errors
    /// When a rule is broken; with every fault.
    pub fn complete(
        self,
        stored: Option<&DataEndpoint>,
        fresh: ConfigurationId,
    ) -> Result<DataEndpoint, Faults> {
        let id = stored.map_or(fresh, |stored| stored.id().clone());
        self.check(stored, id)
    }

    /// `stored` with the members that a PATCH names changed (a JSON merge patch).
    ///
    /// # Errors
    /// When a required member is `null`, or the outcome breaks a rule; with every fault.
    pub fn patch(self, stored: &DataEndpoint) -> Result<DataEndpoint, Faults> {
        let mut faults = Faults::none();
        if self.access.endpoint == Field::Null {
            let resolution = "Give Endpoint a value, or leave it out to keep the one it has.";
            faults.push(Fault::new("Endpoint", "is required and cannot be reset by null", resolution));
        }
        match self.over(stored).check(Some(stored), stored.id().clone()) {
            Ok(endpoint) => faults.or(endpoint),
            Err(others) => {
                faults.merge(others);
                Err(faults)
            }
        }
    }

    fn over(self, stored: &DataEndpoint) -> Self {
        Self {
            id: self.id,
            access: self.access.over(stored.access()),
            read_only_methods: self.read_only_methods.or(Some(stored.read_only_methods.clone())),
            max_buffer_mb: self.max_buffer_mb.or(Some(stored.max_buffer_mb.into())),
            max_request_mb: self.max_request_mb.or(Some(stored.max_request_mb.into())),
            buffered_answer: self.buffered_answer.or(Some(stored.buffered_answer.into())),
            standby_answer: self.standby_answer.or(Some(stored.standby_answer.to_string())),
        }
    }

    fn check(
        self,
        stored: Option<&DataEndpoint>,
        default_id: ConfigurationId,
    ) -> Result<DataEndpoint, Faults> {
        let mut faults = Faults::none();
        let id = match self.id.value() {
            Some(id) => faults.take(checked("Id", id, ConfigurationId::new)),
            None => Some(default_id),
        };
        let what = "Endpoint is the destination's base address.";
        let access = self.access.check(&mut faults, stored.map(DataEndpoint::access), what, EXAMPLE);
        if access.as_ref().is_some_and(|access| access.endpoint().url().query().is_some()) {
            let reason = "contains a query, behind which no path can be appended";
            faults.push(Fault::new("Endpoint", reason, "Endpoint ends before the question mark."));
        }
        let read_only_methods = match self.read_only_methods.value() {
            Some(methods) => faults.take(read_only(methods)),
            None => Some(DataEndpoint::READ_ONLY.map(str::to_owned).to_vec()),
        };
        let max_buffer_mb = faults.take(within(
            "MaxBufferSizeMB",
            self.max_buffer_mb.value(),
            DataEndpoint::DEFAULT_BUFFER_MB,
            1..=DataEndpoint::LARGEST_BUFFER_MB,
        ));
        let max_request_mb = faults.take(within(
            "MaxRequestSizeMB",
            self.max_request_mb.value(),
            DataEndpoint::DEFAULT_REQUEST_MB,
            1..=DataEndpoint::LARGEST_REQUEST_MB,
        ));
        let buffered_answer = faults.take(within(
            "BufferedAnswer",
            self.buffered_answer.value(),
            DataEndpoint::DEFAULT_ANSWER,
            DataEndpoint::ANSWERS,
        ));
        let standby_answer = match self.standby_answer.value() {
            Some(text) => faults.take(standby(&text)),
            None => Some(StandbyAnswer::Refuse),
        };
        if let (Some(buffer), Some(request)) = (max_buffer_mb, max_request_mb)
            && buffer < request
        {
            let reason = "is smaller than one request may be (MaxRequestSizeMB)";
            let resolution = "MaxBufferSizeMB is at least MaxRequestSizeMB.";
            faults.push(Fault::new("MaxBufferSizeMB", reason, resolution));
        }
        match (id, access, read_only_methods, max_buffer_mb, max_request_mb, buffered_answer, standby_answer)
        {
            (
                Some(id),
                Some(access),
                Some(read_only_methods),
                Some(max_buffer_mb),
                Some(max_request_mb),
                Some(buffered_answer),
                Some(standby_answer),
            ) if faults.is_empty() => Ok(DataEndpoint {
                id,
                access,
                read_only_methods,
                max_buffer_mb,
                max_request_mb,
                buffered_answer,
                standby_answer,
            }),
            _ => Err(faults),
        }
    }
}

fn within<T: Copy + Into<i64> + TryFrom<i64> + std::fmt::Display>(
    member: &str,
    given: Option<i64>,
    default: T,
    limits: RangeInclusive<T>,
) -> Result<T, Fault> {
    let Some(given) = given else { return Ok(default) };
    let fits = (*limits.start()).into() <= given && given <= (*limits.end()).into();
    T::try_from(given).ok().filter(|_| fits).ok_or_else(|| {
        let resolution = format!("{member} is a whole number from {} to {}.", limits.start(), limits.end());
        Fault::new(member, format!("is {given}"), resolution)
    })
}

/// Methods are case-sensitive in HTTP, and in capital letters where anybody uses them.
fn read_only(methods: Vec<String>) -> Result<Vec<String>, Fault> {
    let resolution = "ReadOnlyMethods is an array of up to 32 methods, such as [\"GET\", \"HEAD\"].";
    if methods.len() > DataEndpoint::METHODS_LIMIT {
        return Err(Fault::new("ReadOnlyMethods", "has more than 32 methods", resolution));
    }
    let mut known: Vec<String> = Vec::new();
    for method in methods {
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if method.is_empty() || method.len() > DataEndpoint::METHODS_LIMIT || !method.chars().all(is_token) {
            let shown: String = method.chars().filter(|c| !c.is_control()).take(64).collect();
            return Err(Fault::new(
                "ReadOnlyMethods",
                format!("has {shown:?}, which is no method"),
                resolution,
            ));
        }
        if !known.contains(&method) {
            known.push(method);
        }
    }
    Ok(known)
}

fn standby(text: &str) -> Result<StandbyAnswer, Fault> {
    StandbyAnswer::parse(text).ok_or_else(|| {
        Fault::new("StandbyAnswer", "is not one of the answers", "StandbyAnswer is Refuse or Swallow.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft(endpoint: &str) -> DataEndpointDraft {
        let access = AccessDraft { endpoint: Field::Value(endpoint.to_owned()), ..AccessDraft::default() };
        DataEndpointDraft { access, ..DataEndpointDraft::default() }
    }

    fn complete(draft: DataEndpointDraft) -> Result<DataEndpoint, String> {
        draft.complete(None, ConfigurationId::new("d").unwrap()).map_err(|faults| faults.reasons())
    }

    #[test]
    fn an_endpoint_is_all_that_is_required() {
        let made = complete(draft("http://h/base")).unwrap();
        assert_eq!(made.read_only_methods(), ["GET", "HEAD", "OPTIONS"]);
        assert_eq!((made.max_buffer_mb(), made.max_request_mb(), made.buffered_answer()), (1_024, 16, 204));
        assert_eq!(made.standby_answer(), StandbyAnswer::Refuse);
    }

    #[test]
    fn every_fault_is_reported() {
        let draft = DataEndpointDraft {
            read_only_methods: Field::Value(vec!["GET ".to_owned()]),
            max_buffer_mb: Field::Value(0),
            max_request_mb: Field::Value(257),
            buffered_answer: Field::Value(302),
            standby_answer: Field::Value("no".to_owned()),
            ..draft("http://h/?a=b")
        };
        assert_eq!(
            complete(draft).unwrap_err(),
            "Endpoint contains a query, behind which no path can be appended. ReadOnlyMethods has \"GET \", which is \
             no method. MaxBufferSizeMB is 0. MaxRequestSizeMB is 257. BufferedAnswer is 302. StandbyAnswer is not \
             one of the answers."
        );
        let small = DataEndpointDraft { max_buffer_mb: Field::Value(8), ..draft_of_default() };
        assert!(complete(small).unwrap_err().contains("smaller than one request"));
    }

    fn draft_of_default() -> DataEndpointDraft {
        draft("http://h")
    }

    #[test]
    fn a_patch_keeps_what_it_leaves_out() {
        let stored = complete(draft("http://h/base")).unwrap();
        let patch = DataEndpointDraft { buffered_answer: Field::Value(202), ..DataEndpointDraft::default() };
        let patched = patch.patch(&stored).unwrap();
        assert_eq!(patched.access().endpoint().as_str(), "http://h/base");
        let changes = DataEndpoint::changes(Some(&stored), Some(&patched));
        assert_eq!(changes.len(), 1);
        assert_eq!((changes[0].member, changes[0].to.as_deref()), ("BufferedAnswer", Some("202")));
    }
}
