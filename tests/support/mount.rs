//! A small file system of the test's own.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
};

/// A file system of the test's own, unmounted when it is dropped.
pub struct Mount {
    /// Where it is mounted.
    pub path: PathBuf,
}

impl Mount {
    /// A tmpfs of this size at `path`, which must exist. `None`, loudly, where this cannot be had.
    pub fn tmpfs(path: &Path, size: &str) -> Option<Self> {
        let options = format!("size={size},mode=0700");
        let mount = mounts(&["-t", "tmpfs", "-o", &options, "client-failover-test", path.to_str()?]);
        mount.then(|| Self { path: path.to_owned() })
    }

    /// Makes it read-only.
    pub fn seal(&self) {
        assert!(mounts(&["-o", "remount,ro", self.path.to_str().unwrap()]));
    }
}

fn mounts(arguments: &[&str]) -> bool {
    let output = Command::new("mount").args(arguments).output().unwrap();
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        eprintln!("SKIPPED, NOT PROVEN: mount {arguments:?} needs root: {why}");
    }
    output.status.success()
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily, because a server that a failed test left behind may still hold files in it.
        Command::new("umount").arg("--lazy").arg(&self.path).status().ok();
    }
}

/// Fills the file system but for `left` bytes; gives the file that does.
pub fn fill(folder: &Path, left: u64) -> PathBuf {
    let path = folder.join("ballast");
    let mut ballast = File::create(&path).unwrap();
    let block = vec![7; 4096];
    let mut written = 0;
    while ballast.write_all(&block).is_ok() {
        written += 4096;
    }
    ballast.set_len(written - left.min(written)).unwrap();
    path
}
