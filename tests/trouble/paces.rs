//! How often the adapter asks: bounds are generous, because the machine may be busy.

use crate::support::scripted::{Call, Endpoint, Reply, Request};

use super::Adapter;

/// The seconds between one request and the next.
fn gaps(requests: &[Request]) -> Vec<f64> {
    requests.windows(2).map(|pair| pair[1].at.since(pair[0].at).as_secs_f64()).collect()
}

/// The seconds between a heartbeat that is answered so and the next one.
async fn gap_after(endpoint: &Endpoint, reply: Reply) -> f64 {
    endpoint.answer_once(Call::Heartbeat, reply);
    gaps(&endpoint.until_more(Call::Heartbeat, 2).await)[0]
}

fn asking_to_wait(status: u16, wait: &str) -> Reply {
    Reply::Full(status, vec![("Retry-After", wait.to_owned())], "{}".to_owned())
}

#[tokio::test]
async fn a_stock_endpoint_is_asked_at_once_after_a_second_and_then_every_half_t() {
    let endpoint = Endpoint::stock().await;
    let _adapter = Adapter::registering(&endpoint, "00:00:04", &[]).await;
    let beats = endpoint.until_more(Call::Heartbeat, 4).await;
    let registered = endpoint.calls(Call::CreateSession)[0].at;
    assert!(beats[0].at.since(registered).as_secs_f64() < 0.9);
    let gaps = gaps(&beats);
    assert!((0.9..1.8).contains(&gaps[0]), "{gaps:?}");
    assert!(gaps[1..].iter().all(|gap| (1.8..3.5).contains(gap)), "{gaps:?}");
}

#[tokio::test]
async fn a_native_endpoint_is_asked_every_quarter_t() {
    let endpoint = Endpoint::native().await;
    let _adapter = Adapter::registering(&endpoint, "00:00:04", &[]).await;
    let gaps = gaps(&endpoint.until_more(Call::Heartbeat, 6).await);
    assert!(gaps[1..].iter().all(|gap| (0.6..1.8).contains(gap)), "{gaps:?}");
}

#[tokio::test]
async fn a_new_primary_says_at_once_that_it_acts() {
    let endpoint = Endpoint::native().await;
    let _adapter = Adapter::registering(&endpoint, "00:01:00", &[]).await;
    let gap = gaps(&endpoint.until_more(Call::Heartbeat, 2).await)[0];
    assert!(gap < 5.0, "the next would come after 15 s: {gap}");
}

#[tokio::test]
async fn too_many_requests_are_followed_by_fewer_but_never_by_a_wait_longer_than_half_t() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:02", &[]).await;
    // Not everybody at the same instant: the last eighth before T/2 is left to chance.
    for wait in ["3600", "99999999999", "1"] {
        let gap = gap_after(&endpoint, asking_to_wait(429, wait)).await;
        assert!((0.85..1.7).contains(&gap), "{wait}: {gap}");
    }
    // No wait, or one that cannot be read, is the pace.
    for wait in ["0", "soon"] {
        let gap = gap_after(&endpoint, asking_to_wait(429, wait)).await;
        assert!((0.4..1.7).contains(&gap), "{wait}: {gap}");
    }
    adapter.only_failure("TooManyRequests", "429").await;
    assert_eq!(adapter.role().await, "Primary");
}

#[tokio::test]
async fn a_date_to_wait_for_is_compared_with_the_endpoints_own_clock() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:08", &[]).await;
    let date = |second| format!("Wed, 21 Oct 2015 07:28:{second:02} GMT");
    let headers = vec![("Date", date(0)), ("Retry-After", date(3))];
    let gap = gap_after(&endpoint, Reply::Full(503, headers, String::new())).await;
    // Up to a quarter more is left to chance; by the adapter's own clock the date has long passed.
    assert!((2.9..4.7).contains(&gap), "{gap}");
    assert_eq!(adapter.role().await, "Primary");
}

#[tokio::test]
async fn a_broken_endpoint_is_asked_again_soon_unless_it_says_when() {
    let endpoint = Endpoint::native().await;
    let adapter = Adapter::primary(&endpoint, "00:00:04", &[]).await;
    let gap = gap_after(&endpoint, Reply::error(503, "Later.")).await;
    assert!(gap < 0.8, "{gap}");
    for (wait, bounds) in [("0", 0.9..1.7), ("3600", 1.7..3.4)] {
        let gap = gap_after(&endpoint, asking_to_wait(503, wait)).await;
        assert!(bounds.contains(&gap), "{wait}: {gap}");
    }
    adapter.only_failure("ServerError", "503").await;
}

#[tokio::test]
async fn a_login_that_is_refused_is_not_tried_again_at_once() {
    let endpoint = Endpoint::native().await;
    let _adapter = Adapter::primary(&endpoint, "00:00:04", &[]).await;
    let gap = gap_after(&endpoint, Reply::error(401, "Wrong password.")).await;
    assert!((0.9..3.4).contains(&gap), "{gap}");
}

#[tokio::test]
async fn pending_primary_is_confirmed_at_once_but_at_most_ten_times_in_a_row() {
    let endpoint = Endpoint::stock().await;
    endpoint.answer_role("PendingPrimary");
    let adapter = Adapter::registering(&endpoint, "00:00:05", &[]).await;
    let beats = endpoint.until_more(Call::Heartbeat, 13).await;
    let gaps = gaps(&beats);
    let at_once = beats[10].at.since(beats[0].at).as_secs_f64();
    assert!(at_once < 2.4, "{gaps:?}");
    // Then the pace again, and no further burst.
    assert!(gaps[10..].iter().all(|gap| *gap > 2.0), "{gaps:?}");
    assert_eq!(adapter.role().await, "Secondary");
    assert!(adapter.rows("Role", "ToldPrimary").await.is_empty());
    // Another answer ends the row: the next PendingPrimary is confirmed at once again.
    endpoint.answer_once(Call::Heartbeat, Reply::role(0));
    endpoint.answer_once(Call::Heartbeat, Reply::role(2));
    endpoint.answer_role(1);
    let gaps = self::gaps(&endpoint.until_more(Call::Heartbeat, 3).await);
    assert!(gaps[0] > 2.0 && gaps[1] < 1.0, "{gaps:?}");
    adapter.until_role("Primary").await;
}
