//! Takes requests from the collector: passes them on, keeps them, or turns them away.

use std::{error::Error, sync::Arc};

use hyper::{
    HeaderMap, Method, Response, StatusCode,
    body::{Body, Bytes},
    http::request::Parts,
};
use tokio::sync::watch;

use super::{
    body::{self, Held, Memory, Unread},
    forward::{Undelivered, unsettled},
    keeper::Keeper,
    lane::{Lane, News, Taken, Turned},
    machine::{Settlement, settlement},
    pool::AnswerBody,
    request::{Request, is_gate_path, split, strip},
    ticket::{Reserved, Ticket},
    via::GateName,
    view::{Route, View},
};
use crate::{
    clock,
    domain::{Order, Tally, Wall},
};

/// The gate, for whoever has requests. Clones share it.
#[derive(Debug, Clone)]
pub struct Gate {
    name: GateName,
    views: watch::Receiver<Arc<View>>,
    keeper: Keeper,
    memory: Memory,
}

/// What a request is answered.
#[derive(Debug)]
pub enum Answer {
    /// The destination's own answer.
    Passed(Response<AnswerBody>),
    /// It is kept, or dropped by setting: a success with this status.
    Taken(StatusCode),
}

/// Why a request is turned away. Nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// No destination has this Id.
    Unknown(String),
    /// The Id in the path is no text.
    BadId,
    /// The path is none that can be sent.
    BadPath,
    /// It has come through this gate before, on its way to the destination of this Id.
    GoesRound(String),
    /// The body was not read; why.
    Unread(Unread),
    /// This adapter stands by and keeps nothing.
    StandsBy,
    /// The buffer is full.
    Full,
    /// The buffer cannot be written; why.
    NotWritten(String),
    /// The destination does not accept the gate's login.
    NotLoggedIn,
    /// What only asks could not be answered; why.
    Unreachable(String),
}

impl From<Unread> for Refusal {
    fn from(unread: Unread) -> Self {
        Self::Unread(unread)
    }
}

/// How a destination does, and what became of what was sent to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneReport {
    /// The destination.
    pub id: String,
    /// How many requests wait for it.
    pub waiting: u64,
    /// How much room they take, in bytes.
    pub waiting_bytes: u64,
    /// How much room they may take, in bytes.
    pub limit_bytes: u64,
    /// When the oldest that is not settled was received; where none is, when the last one was.
    pub settled_until: Option<Wall>,
    /// What was settled, and how.
    pub tally: Tally,
    /// Not taken because the buffer was full, in this run.
    pub turned_away: u64,
    /// Not taken because the requests under way took all the memory that they may, in this run.
    pub overloaded: u64,
    /// Not taken, or dropped by setting, while standing by, in this run.
    pub stood_by: u64,
    /// Why it settles nothing now; empty while it does, or nothing is sent to it.
    pub outage: Option<String>,
}

impl LaneReport {
    fn of(route: &Route) -> Self {
        let lane: &Lane = &route.lane;
        let (waiting, waiting_bytes) = lane.load();
        let (open_since, last_received) = lane.received();
        let News { turned_away, overloaded, stood_by, .. } = lane.totals();
        Self {
            id: lane.id().to_owned(),
            waiting,
            waiting_bytes,
            limit_bytes: route.endpoint.max_buffer_bytes(),
            settled_until: open_since.or(last_received),
            tally: lane.tally(),
            turned_away,
            overloaded,
            stood_by,
            outage: route.outage(),
        }
    }
}

impl Gate {
    pub(super) const fn new(
        name: GateName,
        views: watch::Receiver<Arc<View>>,
        keeper: Keeper,
        memory: Memory,
    ) -> Self {
        Self { name, views, keeper, memory }
    }

    /// Whether a path is one of the gate's, `/egress/{Id}/…`.
    #[must_use]
    pub fn owns(path: &str) -> bool {
        is_gate_path(path)
    }

    /// Answers one request. What was taken is carried out even if the collector hangs up, as long as this is
    /// polled.
    ///
    /// # Errors
    /// When it is turned away.
    pub async fn answer<B>(&self, request: hyper::Request<B>) -> Result<Answer, Refusal>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<Box<dyn Error + Send + Sync>>,
    {
        let (Parts { method, uri, headers, .. }, body) = request.into_parts();
        let (id, target) = split(&uri).ok_or(Refusal::BadPath)?;
        let id = percent_encoding::percent_decode_str(id).decode_utf8().map_err(|_error| Refusal::BadId)?;
        let (view, order) = self.now();
        let route = route(&view, &id)?;
        if self.name.is_on(&headers) {
            // Whatever the other gates say of it, it has not arrived.
            route.lane.cover_anew();
            return Err(Refusal::GoesRound(id.into_owned()));
        }
        let only_asks = route.endpoint.read_only_methods().iter().any(|known| known == method.as_str());
        let enter = || route.lane.enter(&order, &route.endpoint, clock::now());
        let ticket = (!only_asks).then(enter).transpose().map_err(|_turned| Refusal::StandsBy)?;
        let read = body::read(body, route.endpoint.max_request_bytes(), &self.memory).await;
        let body = read.inspect_err(|unread| {
            if *unread == Unread::NoMemory {
                route.lane.count_overload();
            }
        })?;
        let request = whole(method, target, headers, body);
        match ticket {
            Some(ticket) => self.take(&id, request, ticket).await,
            None => self.ask(route, &request).await,
        }
    }

    /// What the gate goes by, and the order as it is now.
    fn now(&self) -> (Arc<View>, Order) {
        let view = Arc::clone(&self.views.borrow());
        let order = view.order();
        (view, order)
    }

    /// How each destination does.
    #[must_use]
    pub fn report(&self) -> Vec<LaneReport> {
        let view = Arc::clone(&self.views.borrow());
        let mut reports: Vec<_> = view.routes.values().map(|route| LaneReport::of(route)).collect();
        reports.sort_by(|one, other| one.id.cmp(&other.id));
        reports
    }

    /// A request that only asks goes to the destination in every role.
    async fn ask(&self, route: &Route, request: &Request) -> Result<Answer, Refusal> {
        let (view, _) = self.now();
        let asks = match (&route.asks, &route.destination) {
            (Some(asks), _) => asks,
            (None, Err(why)) => return Err(Refusal::Unreachable(why.clone())),
            (None, Ok(_)) => return Err(Refusal::Unreachable("it cannot be asked".to_owned())),
        };
        match asks.send(request, view.stamp()).await {
            Ok(answer) => passed_back(answer),
            Err(Undelivered::BadTarget) => Err(Refusal::BadPath),
            Err(Undelivered::Over) => Err(Refusal::StandsBy),
            Err(Undelivered::Failed(why)) => Err(Refusal::Unreachable(why)),
        }
    }

    /// A request that carries data is settled by the destination, or is ours.
    async fn take(&self, id: &str, request: Request, ticket: Ticket) -> Result<Answer, Refusal> {
        let mut passed = None;
        loop {
            let (view, order) = self.now();
            let route = view.routes.get(id).ok_or_else(|| Refusal::Unknown(id.to_owned()))?;
            let size = request.size();
            match route.lane.take(&order, &route.endpoint, size, passed.is_some()) {
                Ok(Taken::Keep(over)) => {
                    let reserved = Reserved::new(ticket, size, over);
                    self.keeper.keep(request, reserved).await.map_err(Refusal::NotWritten)?;
                    return Ok(Answer::Taken(success(route)));
                }
                Ok(Taken::Pass) => match pass(route, &request, &view).await {
                    Passed::Settled(settlement, answer) => {
                        ticket.settled(settlement, answer.status().as_u16(), clock::now());
                        return Ok(Answer::Passed(answer));
                    }
                    Passed::Open(answer) => passed = Some(answer),
                    Passed::BadTarget => {
                        ticket.arrived();
                        return Err(Refusal::BadPath);
                    }
                },
                // It cannot be kept: the collector hears what the destination said, if it said anything.
                Err(turned) => {
                    if let Some(Some(answer)) = passed {
                        return passed_back(answer);
                    }
                    return turned_away(turned, passed.is_some(), route);
                }
            }
        }
    }
}

fn route<'a>(view: &'a View, id: &str) -> Result<&'a Route, Refusal> {
    if !view.is_ready() {
        return Err(Refusal::StandsBy);
    }
    view.routes.get(id).map(AsRef::as_ref).ok_or_else(|| Refusal::Unknown(id.to_owned()))
}

/// What became of a request that was passed on.
enum Passed {
    /// The destination has it, or will never take it.
    Settled(Settlement, Response<AnswerBody>),
    /// It is still ours; what the destination said, if anything.
    Open(Option<Response<AnswerBody>>),
    BadTarget,
}

async fn pass(route: &Route, request: &Request, view: &View) -> Passed {
    let Some(forwarder) = route.sends() else { return Passed::Open(None) };
    match forwarder.send(request, view.stamp()).await {
        Ok(answer) => match settlement(answer.status().as_u16()) {
            Settlement::Open => {
                route.lane.fails(&unsettled(answer.status()));
                Passed::Open(Some(answer))
            }
            settled @ (Settlement::Acknowledged | Settlement::Refused) => Passed::Settled(settled, answer),
        },
        Err(Undelivered::BadTarget) => Passed::BadTarget,
        Err(Undelivered::Over) => Passed::Open(None),
        Err(Undelivered::Failed(why)) => {
            route.lane.fails(&why);
            Passed::Open(None)
        }
    }
}

fn turned_away(turned: Turned, was_passed: bool, route: &Route) -> Result<Answer, Refusal> {
    match turned {
        Turned::Full => Err(Refusal::Full),
        // What the destination may or may not have must not be called taken.
        Turned::Swallowed if !was_passed => Ok(Answer::Taken(success(route))),
        Turned::StandsBy | Turned::Swallowed => Err(Refusal::StandsBy),
    }
}

fn success(route: &Route) -> StatusCode {
    StatusCode::from_u16(route.endpoint.buffered_answer()).unwrap_or(StatusCode::NO_CONTENT)
}

/// The destination's answer, for the collector. What 401 and 407 refuse is the gate's login; to the collector they would
/// mean its own.
fn passed_back(answer: Response<AnswerBody>) -> Result<Answer, Refusal> {
    match answer.status() {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => Err(Refusal::NotLoggedIn),
        _ => Ok(Answer::Passed(answer)),
    }
}

/// The request as it is passed on. It has arrived when all of it has.
fn whole(method: Method, target: String, mut headers: HeaderMap, (body, held): (Bytes, Held)) -> Request {
    strip(&mut headers);
    Request { arrival: clock::now(), method, target, headers, body, held: Some(held) }
}
