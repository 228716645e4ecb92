//! Whether there is a program to become the collector: a guard that is started for none would be told as a start.

use std::{
    env,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

/// Why `program` is not there, if it is not. It is looked for as it is when it is run: in `path` (the PATH of its
/// environment), or, where its name has a slash, from `folder` on. What is there may still be nothing that runs.
pub(super) fn missing(program: &str, path: Option<&OsString>, folder: Option<&Path>) -> Option<String> {
    if program.contains('/') {
        let file = folder.map_or_else(|| PathBuf::from(program), |folder| folder.join(program));
        return (!file.exists()).then(|| format!("there is no file {}", file.display()));
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
    fn a_program_is_looked_for_in_path_or_from_its_folder_on() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("here"), "").unwrap();
        let path = OsString::from(format!("/nowhere:{}", folder.path().display()));
        assert_eq!(missing("here", Some(&path), None), None);
        assert!(
            missing("gone", Some(&path), None)
                .unwrap()
                .starts_with("there is no program gone in PATH, /nowhere:")
        );
        assert_eq!(missing("gone", None, None), None, "nobody knows");
        assert_eq!(missing("./here", Some(&path), Some(folder.path())), None);
        let gone = missing("./gone", Some(&path), Some(folder.path())).unwrap();
        assert!(gone.starts_with("there is no file /"), "{gone}");
        let whole = folder.path().join("here").display().to_string();
        assert_eq!(missing(&whole, None, Some(Path::new("/"))), None);
    }
}
