//! Whether there is a program to become the collector.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::Path,
};

/// Why `program` is not there, if it is not. It is looked for as it is when it is run: in `path` (the PATH of its
/// environment), or, where its name has a slash, from the current folder on. What is there may still be nothing that
/// runs.
pub(super) fn missing(program: &str, path: Option<&OsString>) -> Option<String> {
    if program.contains('/') {
        return (!Path::new(program).exists()).then(|| format!("there is no file {program}"));
    }
    // Without a PATH the system has one of its own.
    let path = path.filter(|path| !path.is_empty())?;
    let found = env::split_paths(OsStr::new(path)).any(|folder| folder.join(program).exists());
    (!found).then(|| format!("there is no program {program} in PATH, {}", path.display()))
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
