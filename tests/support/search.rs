//! Looks for planted secrets where none should be.

use std::{fs, path::Path, process::Command};

use super::{PROGRAM, Server};

/// What is looked for: each secret in the forms in which it could show itself.
#[derive(Clone)]
pub struct Planted(pub Vec<Vec<u8>>);

impl Planted {
    /// These texts as they are.
    pub fn texts(texts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self(texts.into_iter().map(|text| text.into().into_bytes()).collect())
    }

    /// The key that seals, of this data folder: as it is written, and as bytes, also as a program would print those.
    pub fn key_of(data: &Path) -> Self {
        let text = fs::read_to_string(data.join("key")).unwrap();
        let mut forms = Vec::new();
        for line in text.lines() {
            let hex = line.split_whitespace().nth(2).unwrap();
            assert_eq!(hex.len(), 64);
            let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
            let bytes: Vec<u8> = (0..64).step_by(2).map(digits).collect();
            forms.extend([hex.to_owned(), hex.to_uppercase()].map(String::into_bytes));
            forms.push(format!("{bytes:?}").trim_matches(['[', ']']).into());
            forms.push(base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &bytes).into());
            forms.push(bytes);
        }
        Self(forms)
    }

    /// These, and those of `other`.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    /// None of them is in `content`.
    pub fn none_in(&self, what: &str, content: &[u8]) {
        for form in &self.0 {
            assert!(form.len() >= 8, "so little is anywhere");
            if let Some(at) = memchr::memmem::find(content, form) {
                let around = &content[at.saturating_sub(300)..(at + form.len() + 20).min(content.len())];
                panic!("{what} contains a secret: {}", String::from_utf8_lossy(around));
            }
        }
    }

    /// Nor in any file of the data folder (the database, its WAL, backups), but those that are named.
    pub fn none_in_folder(&self, data: &Path, but: &[&str]) {
        let mut names = Vec::new();
        for entry in fs::read_dir(data).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if !but.contains(&name.as_str()) {
                self.none_in(&path.display().to_string(), &fs::read(&path).unwrap());
            }
            names.push(name);
        }
        assert!(names.iter().any(|name| name == "failover.db"), "{names:?}");
    }

    /// Nor in what the system shows of the process.
    pub fn none_in_process(&self, server: &Server) {
        for file in ["cmdline", "environ", "comm"] {
            let content = fs::read(format!("/proc/{}/{file}", server.pid())).unwrap();
            assert!(!content.is_empty());
            self.none_in(file, &content);
        }
    }

    /// Nor in a backup of the folder, nor in what making it says.
    pub fn none_in_backup(&self, data: &Path) {
        let file = data.join("a backup");
        fs::remove_file(&file).ok();
        let made =
            Command::new(PROGRAM).arg("backup").arg(&file).arg("--data-dir").arg(data).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        self.none_in("what backup says", &[made.stdout, made.stderr].concat());
        self.none_in("a backup", &fs::read(&file).unwrap());
    }
}
