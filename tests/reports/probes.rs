//! Probes of a real adapter.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicU16, AtomicUsize, Ordering},
    },
    thread,
};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::{
    serve,
    support::{
        COMPONENTS, STATE, Server, configuration,
        scripted::{Call, Endpoint},
        until,
    },
};

/// A web server that answers each request with the present status.
struct Web {
    address: String,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
}

impl Web {
    fn start(status: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (status, asked) = (Arc::new(AtomicU16::new(status)), Arc::new(AtomicUsize::new(0)));
        let (answers, counts) = (Arc::clone(&status), Arc::clone(&asked));
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 4_096];
                let read = stream.read(&mut request).unwrap_or(0);
                if !request[..read].starts_with(b"GET ") {
                    continue;
                }
                counts.fetch_add(1, Ordering::SeqCst);
                let status = answers.load(Ordering::SeqCst);
                let answer = format!(
                    "HTTP/1.1 {status} -\r\nLocation: /elsewhere\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                stream.write_all(answer.as_bytes()).ok();
            }
        });
        Self { address, status, asked }
    }

    fn answer(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }
}

async fn component(server: &Server, id: &str) -> Value {
    server.get(&format!("{COMPONENTS}/{id}")).await.json()
}

async fn until_counts_as(server: &Server, id: &str, status: &str) -> Value {
    let mut shown = Value::Null;
    until(&format!("{id} counts as {status}"), async || {
        shown = component(server, id).await;
        shown["CountsAs"] == status
    })
    .await;
    shown
}

#[tokio::test]
async fn an_address_is_good_while_it_answers_2xx_and_redirects_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let web = Web::start(503);
    let text = format!(
        "[[probe]]\nid = \"web\"\nurl = \"http://{}/health?a=b\"\ninterval = \"100ms\"\nfailures = 3\nstreams = 1000\n",
        web.address
    );
    let server = serve(folder.path(), &text, &[]);
    let failing = until_counts_as(&server, "web", "DeviceInError").await;
    assert!(web.asked.load(Ordering::SeqCst) >= 3, "so many failures in a row");
    assert!(failing["Explanation"].as_str().unwrap().contains("answers 503"), "{failing}");
    assert_eq!((&failing["Source"], &failing["StreamCount"]), (&"Probe".into(), &1000.into()));
    until("the score is 0", async || server.get(STATE).await.json()["FailoverStatus"] == "0").await;
    assert_eq!(server.get(STATE).await.json()["AdapterState"], "Faulted");
    web.answer(204);
    until_counts_as(&server, "web", "Good").await;
    until("the score is 100", async || server.get(STATE).await.json()["FailoverStatus"] == "100").await;
    web.answer(302);
    let redirected = until_counts_as(&server, "web", "DeviceInError").await;
    assert!(redirected["Explanation"].as_str().unwrap().contains("answers 302"), "{redirected}");
    let rows = server.history().await;
    let rows = rows.iter().filter(|row| row["Kind"] == "Component").map(|row| row["Reason"].clone());
    assert_eq!(rows.collect::<Vec<_>>(), ["ProbeFailed", "ProbeSucceeded"], "it flaps: once for each status");
}

#[tokio::test]
async fn a_command_is_good_while_it_exits_with_0_and_is_killed_when_it_hangs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    let text = format!(
        "[[probe]]\nid = \"file\"\ncommand = [\"test\", \"-e\", \"{path}/up\"]\ninterval = \"100ms\"\nfailures = 1\n\
         [[probe]]\nid = \"hangs\"\ncommand = [\"sleep\", \"600\"]\ninterval = \"200ms\"\ntimeout = \"100ms\"\nfailures = 2\n"
    );
    let server = serve(folder.path(), &text, &[]);
    let file = until_counts_as(&server, "file", "DeviceInError").await;
    assert!(file["Explanation"].as_str().unwrap().contains("exit status: 1"), "{file}");
    let hangs = until_counts_as(&server, "hangs", "DeviceInError").await;
    assert!(
        hangs["Explanation"].as_str().unwrap().contains("took longer than 100ms and was killed"),
        "{hangs}"
    );
    fs::write(folder.path().join("up"), "").unwrap();
    until_counts_as(&server, "file", "Good").await;
    until("half is good", async || server.get(STATE).await.json()["FailoverStatus"] == "50").await;
}

#[tokio::test]
async fn a_probe_speaks_for_itself() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[[probe]]\nid = \"true\"\ncommand = [\"true\"]\n";
    let server = serve(folder.path(), text, &[]);
    let body = r#"{"StreamCount": 1, "DeviceStatus": "Good"}"#;
    for (method, body) in [(Method::PUT, Some(body)), (Method::DELETE, None)] {
        let answer = server.send(method, &format!("{COMPONENTS}/true"), body).await;
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(answer.body.contains("The component is a probe."), "{}", answer.body);
    }
    until_counts_as(&server, "true", "Good").await;
}

#[tokio::test]
async fn a_cold_standby_is_not_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let (web, endpoint) = (Web::start(200), Endpoint::native().await);
    endpoint.answer_role("Secondary");
    let text = format!("[[probe]]\nid = \"web\"\nurl = \"http://{}/\"\ninterval = \"100ms\"\n", web.address);
    let server = serve(folder.path(), &text, &[]);
    until_counts_as(&server, "web", "Good").await;
    let mut configuration = configuration(&endpoint.base(), "G", "00:00:01");
    configuration["Mode"] = "Cold".into();
    server.configure(&configuration).await;
    until_counts_as(&server, "web", "Shutdown").await;
    let asked = web.asked.load(Ordering::SeqCst);
    // A second, in which it would be asked ten times. One look may have been under way.
    endpoint.until_more(Call::Heartbeat, 4).await;
    assert!(web.asked.load(Ordering::SeqCst) <= asked + 1);
    assert_eq!(server.get(STATE).await.json()["FailoverStatus"], "1");
    endpoint.answer_role("Primary");
    until_counts_as(&server, "web", "Good").await;
}
