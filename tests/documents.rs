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
fn each_link_of_an_installed_document_leads_to_one_that_is_installed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let installed = installed(root);
    let mut followed = 0;
    for document in
        installed.iter().filter(|path| path.extension().is_some_and(|extension| extension == "md"))
    {
        let text = fs::read_to_string(document).unwrap();
        for link in links(&text).filter(|link| !link.starts_with('#')) {
            let target =
                document.with_file_name("").join(link.split_once('#').map_or(link, |(file, _)| file));
            let known = installed
                .iter()
                .any(|path| fs::canonicalize(path).unwrap() == fs::canonicalize(&target).unwrap());
            assert!(known, "{link} of {}: the package does not install it", document.display());
            followed += 1;
        }
    }
    assert!(followed > 20, "the scan finds what it looks for: {followed}");
}

/// Documents that the package installs, in the folders that they have here.
fn installed(root: &Path) -> Vec<PathBuf> {
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    let mut files = Vec::new();
    for line in manifest.lines().filter(|line| line.contains("\"usr/share/doc/client-failover/")) {
        let words: Vec<_> = line.split('"').collect();
        let (source, folder) = (words[1], words[3].strip_prefix("usr/share/doc/client-failover/").unwrap());
        let (from, name) = source.rsplit_once('/').unwrap_or(("", source));
        assert_eq!(format!("{from}/").trim_start_matches('/'), folder, "{source} is installed elsewhere");
        match name.split_once('*') {
            Some((before, after)) => {
                files.extend(fs::read_dir(root.join(from)).unwrap().filter_map(|entry| {
                    let path = entry.unwrap().path();
                    let name = path.file_name().unwrap().to_str().unwrap();
                    (name.starts_with(before) && name.ends_with(after)).then_some(path)
                }))
            }
            None => files.push(root.join(source)),
        }
    }
    files
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

#[test]
fn each_figure_of_the_bench_that_a_document_quotes_is_the_bench_s() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).unwrap();
    let (bench, comparison) = (read("bench/README.md"), read("docs/comparison.md"));
    let measured: Vec<_> = figures(&bench).collect();
    let mut quoted = 0;
    // A point that quotes the bench links to it.
    for point in comparison.split("\n- ").filter(|point| point.contains("](../bench/README.md)")) {
        for figure in figures(point.split("\n\n").next().unwrap()) {
            assert!(
                measured.contains(&figure),
                "{figure} of docs/comparison.md is not in bench/README.md: {point}"
            );
            quoted += 1;
        }
    }
    assert!(quoted >= 10, "the scan finds what it looks for: {quoted}");
}

/// Numbers with a fraction or with thousands: what was measured, and not what was chosen.
fn figures(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ',')));
    let trimmed = words.map(|word| word.trim_matches(['.', ',']));
    trimmed.filter(|word| word.contains(['.', ',']) && word.chars().any(|c| c.is_ascii_digit()))
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
