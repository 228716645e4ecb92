//! What the page is made of, and how it is served.

use reqwest::{Client, Response, StatusCode, header::IF_NONE_MATCH};

use super::support::{self, Server};

async fn get(client: &Client, server: &Server, path: &str) -> Response {
    client.get(format!("{}{path}", server.url)).send().await.unwrap()
}

/// Every path that a file of the page names: `from './x.js'`, and links from the document.
fn named(text: &str) -> Vec<String> {
    let pieces = text.split(['"', '\'']);
    let files = pieces.filter_map(|piece| piece.strip_prefix("./").or_else(|| piece.strip_prefix("/page/")));
    files.map(|file| format!("/page/{file}")).collect()
}

#[tokio::test]
async fn the_page_is_whole_asks_for_nothing_from_elsewhere_and_has_nothing_inline() {
    let folder = tempfile::tempdir().unwrap();
    let (server, client) = (Server::serve(folder.path(), &[]), support::client());
    // Of the server, and of its interfaces.
    let documents = ["/", "/api"];
    let (mut waiting, mut seen) = (documents.map(str::to_owned).to_vec(), Vec::new());
    while let Some(path) = waiting.pop() {
        if seen.contains(&path) {
            continue;
        }
        let answer = get(&client, &server, &path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        let headers = answer.headers().clone();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"),
            "{policy}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["cache-control"], "no-cache");
        let text = answer.text().await.unwrap();
        let elsewhere = text.replace("http://www.w3.org/2000/svg", "");
        assert!(
            !elsewhere.contains("http://") && !elsewhere.contains("https://"),
            "{path} names another host"
        );
        for inline in ["<style", "<script>", " style=\"", "innerHTML", "eval("] {
            assert!(!text.contains(inline), "{path} has {inline}");
        }
        // A copy that is still good is not sent again; another is.
        let tag = headers["etag"].clone();
        for (known, status) in [
            (tag.to_str().unwrap(), 304),
            ("\"other\"", 200),
            (&format!("\"x\", W/{}", tag.to_str().unwrap()), 304),
        ] {
            let url = format!("{}{path}", server.url);
            let again = client.get(url).header(IF_NONE_MATCH, known).send().await.unwrap();
            assert_eq!((again.status().as_u16(), &again.headers()["etag"]), (status, &tag), "{path} {known}");
        }
        waiting.extend(named(&text));
        seen.push(path);
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/http/page/assets");
    let files = std::fs::read_dir(folder).unwrap().count();
    assert_eq!(seen.len(), files, "every file is used: {seen:?}");
    assert_eq!(get(&client, &server, "/page/other.js").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(client.post(format!("{}/", server.url)).send().await.unwrap().status(), 405);
}

#[tokio::test]
async fn the_document_says_which_halves_the_server_has() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let client = support::client();
    for (server, halves) in [
        (Server::serve(folders[0].path(), &[]), "adapter"),
        (Server::endpoint(folders[1].path(), &[]), "endpoint"),
        (Server::serve(folders[2].path(), &["--with-endpoint"]), "adapter endpoint"),
    ] {
        let text = get(&client, &server, "/").await.text().await.unwrap();
        assert!(text.contains(&format!("<meta name=\"halves\" content=\"{halves}\">")), "{halves}");
    }
}
