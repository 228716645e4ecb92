//! Whether there is a program to become the collector.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// Why `program` is not there, if it is not. What is there may still be nothing that runs.
pub(super) fn missing(program: &str, path: Option<&OsString>) -> Option<String> {
    find(program, path, Path::new("")).err()
}

/// The file of `program`, or why there is none. It is looked for as it is when it is run: in `path` (the PATH of its
/// environment), or, where its name has a slash, from `folder` on. Without a PATH the system has one of its own, and
/// nobody knows.
pub(super) fn find(program: &str, path: Option<&OsString>, folder: &Path) -> Result<Option<PathBuf>, String> {
    if program.contains('/') {
        let file = folder.join(program);
        return if file.exists() {
            Ok(Some(file))
        } else {
            Err(format!("there is no file {}", file.display()))
        };
    }
    let Some(path) = path.filter(|path| !path.is_empty()) else { return Ok(None) };
    let mut places = env::split_paths(OsStr::new(path)).map(|place| folder.join(place).join(program));
    match places.find(|file| file.exists()) {
        Some(file) => Ok(Some(file)),
        None => Err(format!("there is no program {program} in PATH, {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_looked_for_in_path_or_where_its_name_says() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("here"), "").unwrap();
        let path = OsString::from(format!("/nowhere:{}", folder.path().display()));
        assert_eq!(missing("here", Some(&path)), None);
        let gone = missing("gone", Some(&path)).unwrap();
        assert!(gone.starts_with("there is no program gone in PATH, /nowhere:"), "{gone}");
        assert_eq!(missing("gone", None), None, "nobody knows");
        let whole = |name| folder.path().join(name).display().to_string();
        assert_eq!(missing(&whole("here"), Some(&path)), None);
        assert_eq!(missing(&whole("gone"), None).unwrap(), format!("there is no file {}", whole("gone")));
    }
}
