//! The documents lead to each other: each link among them to a file that is there, and to a heading in it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where documents are.
const FOLDERS: [&str; 4] = [".", "docs", "bench", "contrib"];

#[test]
fn each_link_leads_to_a_file_and_a_heading_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents: Vec<_> = FOLDERS.iter().flat_map(|folder| documents(&root.join(folder))).collect();
    let mut followed = 0;
    for document in &documents {
        let text = fs::read_to_string(document).unwrap();
        for link in links(&text) {
            let (file, heading) = link.split_once('#').unwrap_or((link, ""));
            let target =
                if file.is_empty() { document.clone() } else { document.with_file_name("").join(file) };
            let named = format!("{link} of {}", document.display());
            assert!(target.exists(), "{named}: there is no such file");
            let known = heading.is_empty()
                || headings(&fs::read_to_string(&target).unwrap()).any(|one| one == heading);
            assert!(known, "{named}: there is no such heading");
            followed += 1;
        }
    }
    assert!(followed > 50, "the scan finds what it looks for: {followed}");
}

#[test]
fn the_readme_leads_to_each_document_of_docs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).unwrap();
    for document in documents(&root.join("docs")) {
        let name = format!("(docs/{})", document.file_name().unwrap().display());
        assert!(readme.contains(&name), "the README does not lead to {name}");
    }
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "md")).collect()
}

/// Targets of links that stay here.
fn links(text: &str) -> impl Iterator<Item = &str> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.map(|(target, _)| target).filter(|target| !target.contains("://"))
}

/// Headings as links name them: in lower case, blanks as hyphens, without other signs.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text
        .lines()
        .filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')));
    titles.map(|title| {
        let letters = title.to_lowercase().replace(' ', "-");
        letters.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
    })
}
