//! The order at a moment and as it changes, of a Standing that the test publishes.

use std::{io, time::Duration};

use client_failover::{
    clock,
    domain::{Acting, EndpointLoss, Epoch, Mode, Reason, Role, Standing, Uptime},
    http,
    orders::Orders,
    store::{DataFolder, Store},
};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::watch, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{LIMIT, ORDER, client, door, until};

/// The order on a socket of its own.
struct Served {
    url: String,
    standing: watch::Sender<Standing>,
    orders: Orders,
    stop: CancellationToken,
    services: JoinSet<io::Result<()>>,
    _folder: TempDir,
}

fn primary(order: u64, until: Uptime) -> Standing {
    Standing {
        order,
        role: Role::Primary,
        applied_mode: Some(Mode::Hot),
        acting: Acting::Until(until),
        epoch: Epoch::new(7),
        reason: Some(Reason::ToldPrimary),
        endpoint_loss: EndpointLoss::StepDown,
        ..Standing::default()
    }
}

impl Served {
    async fn start(standing: Standing) -> Self {
        let standing = watch::Sender::new(standing);
        let orders = Orders::new(standing.subscribe());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{ORDER}", listener.local_addr().unwrap());
        let (stop, mut services) = (CancellationToken::new(), JoinSet::new());
        let routes = http::order::routes(orders.clone());
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(DataFolder::hold(folder.path()).unwrap()).await.unwrap();
        let door = door(&store).await;
        let traffic = door.traffic().clone();
        services.spawn(http::serve(listener, None, routes.build(door), traffic, stop.clone()));
        Self { url, standing, orders, stop, services, _folder: folder }
    }

    async fn get(&self) -> Value {
        let answer = client().get(&self.url).send().await.unwrap();
        serde_json::from_str(&answer.text().await.unwrap()).unwrap()
    }

    async fn listen(&self) -> Stream {
        let response = client().get(format!("{}/Events", self.url)).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["x-accel-buffering"], "no");
        Stream { response, text: String::new() }
    }
}

struct Stream {
    response: Response,
    text: String,
}

impl Stream {
    /// The next order; `None` at the end.
    async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let data = event.strip_prefix("event: Order\ndata: ").unwrap_or_else(|| panic!("{event:?}"));
                let order = serde_json::from_str(data).unwrap();
                self.text = rest.to_owned();
                return Some(order);
            }
            let piece = timeout(LIMIT, self.response.chunk()).await.unwrap().unwrap()?;
            self.text.push_str(std::str::from_utf8(&piece).unwrap());
        }
    }
}

#[tokio::test]
async fn the_order_is_computed_at_the_moment_of_the_request() {
    let served = Served::start(Standing::default()).await;
    let end = clock::now().uptime + Duration::from_secs(3);
    served.standing.send_replace(primary(3, end));
    let acting = served.get().await;
    let remaining = acting["LeaseRemaining"].as_str().unwrap();
    assert!(remaining.starts_with("00:00:0"), "{remaining}");
    let expected = json!({
        "Started": true, "Collecting": true, "Buffering": false, "Egress": true, "Role": "Primary", "Mode": "Hot",
        "Epoch": 7, "LeaseRemaining": remaining,
    });
    assert_eq!(acting, expected);
    clock::Alarm::new().unwrap().until(end).await.unwrap();
    let over = json!({
        "Started": true, "Collecting": true, "Buffering": true, "Egress": false, "Role": "Secondary", "Mode": "Hot",
        "Epoch": null, "LeaseRemaining": null,
    });
    assert_eq!(served.get().await, over, "nobody published anything");
}

#[tokio::test]
async fn the_end_of_the_permission_is_told_at_the_deadline_although_nobody_publishes() {
    let served = Served::start(Standing::default()).await;
    let end = clock::now().uptime + Duration::from_secs(3);
    served.standing.send_replace(primary(3, end));
    let mut stream = served.listen().await;
    let first = stream.next().await.unwrap();
    assert_eq!((&first["Egress"], &first["Epoch"]), (&json!(true), &json!(7)));
    // The deadline moves; that is no event, and the old one passes in silence.
    let later = end + Duration::from_millis(300);
    served.standing.send_replace(primary(3, later));
    let second = stream.next().await.unwrap();
    assert!(clock::now().uptime >= later);
    assert_eq!((&second["Egress"], &second["Role"]), (&json!(false), &json!("Secondary")));
    // What everybody knows already is not told again; what is new is.
    let demoted = Standing { role: Role::Secondary, acting: Acting::No, ..primary(4, later) };
    served.standing.send_replace(demoted.clone());
    served.standing.send_replace(Standing { order: 5, applied_mode: Some(Mode::Cold), ..demoted });
    let third = stream.next().await.unwrap();
    assert_eq!((&third["Mode"], &third["Started"]), (&json!("Cold"), &json!(false)));
}

#[tokio::test]
async fn a_stream_ends_with_the_registration_and_its_place_is_free_again() {
    let served = Served::start(primary(3, clock::now().uptime + LIMIT)).await;
    let (mut stays, leaves) = (served.listen().await, served.listen().await);
    until("two listen", async || served.orders.listeners() == 2).await;
    drop(leaves);
    until("one has hung up", async || served.orders.listeners() == 1).await;
    assert!(stays.next().await.is_some());
    let Served { standing, orders, .. } = served;
    drop(standing);
    assert_eq!(stays.next().await, None);
    until("nobody listens", async || orders.listeners() == 0).await;
}

#[tokio::test]
async fn streams_keep_the_server_from_nothing_when_it_stops() {
    let mut served = Served::start(primary(3, clock::now().uptime + LIMIT)).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(served.listen().await);
    }
    served.stop.cancel();
    // The registration ends before the services do; where it hangs, the services end without it.
    let ended = timeout(LIMIT, served.services.join_next()).await.unwrap().unwrap();
    ended.unwrap().unwrap();
}

#[tokio::test]
async fn there_are_so_many_places_and_the_next_is_told_to_poll() {
    let served = Served::start(primary(3, clock::now().uptime + LIMIT)).await;
    let mut streams = Vec::new();
    while streams.len() < 64 {
        streams.push(served.listen().await);
    }
    let answer = client().get(format!("{}/Events", served.url)).send().await.unwrap();
    assert_eq!(
        (answer.status(), &answer.headers()["retry-after"]),
        (StatusCode::SERVICE_UNAVAILABLE, &"60".parse().unwrap())
    );
    assert!(answer.text().await.unwrap().contains("Too many listen to the order."));
    assert_eq!(served.get().await["Egress"], true);
}
