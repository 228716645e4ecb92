//! A control group (v2) that holds one collector: the one thing that a process cannot leave by forking.
//!
//! It is made below the group that the adapter is in, where the system lets the adapter do so: as root, or in a
//! systemd unit with `Delegate=yes`. No controller is switched on in it. Its name has the guard's number, so that
//! the agent finds it without being told.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Writing 1 to it kills all that is in the group, at once (Linux 5.14 and later).
const KILL: &str = "cgroup.kill";

/// What the name of a group begins with, before its guard's number.
const PREFIX: &str = "client-failover-";

/// The group of one run of a collector.
#[derive(Debug)]
pub(super) struct Cgroup(PathBuf);

impl Cgroup {
    /// Makes the group for the collector of this guard.
    ///
    /// # Errors
    /// When there is no cgroup v2 here, or none that this process may use.
    pub(super) fn make(guard: u32) -> io::Result<Self> {
        let path = path(guard)?;
        path.parent().into_iter().for_each(sweep);
        Self::make_at(path)
    }

    fn make_at(path: PathBuf) -> io::Result<Self> {
        let was_there = match fs::create_dir(&path) {
            Ok(()) => false,
            // A guard that is dead had the number that is this one's now; sweeping spared it as that of a living one.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => true,
            Err(error) => return Err(error),
        };
        let made = Self(path);
        if !made.0.join(KILL).exists() {
            made.remove();
            return Err(io::Error::new(io::ErrorKind::Unsupported, "this kernel cannot end a cgroup whole"));
        }
        if was_there {
            made.kill()?;
        }
        Ok(made)
    }

    /// The group of this guard's collector, if there is one.
    pub(super) fn of(guard: u32) -> Option<Self> {
        path(guard).ok().filter(|path| path.exists()).map(Self)
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Kills all that is in it.
    pub(super) fn kill(&self) -> io::Result<()> {
        fs::write(self.0.join(KILL), "1")
    }

    /// Whether nothing is left in it.
    pub(super) fn is_empty(&self) -> bool {
        fs::read_to_string(self.0.join("cgroup.events")).map_or(true, |events| events.contains("populated 0"))
    }

    /// Removes it; nothing may be left in it.
    pub(super) fn remove(self) {
        if let Err(error) = fs::remove_dir(&self.0) {
            tracing::debug!(%error, "a cgroup could not be removed");
        }
    }
}

/// Puts this process into a group.
pub(super) fn enter(group: &Path) -> io::Result<()> {
    fs::write(group.join("cgroup.procs"), "0")
}

fn path(guard: u32) -> io::Result<PathBuf> {
    let own = fs::read_to_string("/proc/self/cgroup")?;
    let mounts = fs::read_to_string("/proc/self/mountinfo")?;
    let group = own_group(&own, &mounts);
    let group = group.ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "there is no cgroup v2"))?;
    Ok(group.join(format!("{PREFIX}{guard}")))
}

/// Removes empty groups of guards that are dead: one that was killed together with its agent has left its own.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let guard = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.parse::<u32>().ok());
        if guard.is_some_and(|guard| !Path::new("/proc").join(guard.to_string()).exists()) {
            // The system refuses it while something is in it.
            Cgroup(entry.path()).remove();
        }
    }
}

/// The folder of the group that this process is in, by what the kernel says of it and of the mounts.
fn own_group(own: &str, mounts: &str) -> Option<PathBuf> {
    let within = own.lines().find_map(|line| line.strip_prefix("0::"))?;
    mounts.lines().find_map(|mount| {
        let (place, kind) = mount.split_once(" - ")?;
        let mut place = place.split(' ').skip(3);
        let (root, folder) = (place.next()?, place.next()?);
        let below = Path::new(within).strip_prefix(root).ok()?;
        kind.starts_with("cgroup2 ").then(|| Path::new(folder).join(below))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_dead_guard_that_had_this_ones_number_is_ended_and_taken() {
        let parent = tempfile::tempdir().unwrap();
        let left = parent.path().join(format!("{PREFIX}7"));
        fs::create_dir(&left).unwrap();
        fs::write(left.join(KILL), "").unwrap();
        let made = Cgroup::make_at(left.clone()).unwrap();
        assert_eq!(
            (made.path(), fs::read_to_string(left.join(KILL)).unwrap().as_str()),
            (left.as_path(), "1")
        );
        let unable = Cgroup::make_at(parent.path().join(format!("{PREFIX}8")));
        assert_eq!(unable.unwrap_err().kind(), io::ErrorKind::Unsupported);
        assert!(!parent.path().join(format!("{PREFIX}8")).exists());
    }

    #[test]
    fn only_what_a_dead_guard_has_left_empty_is_swept_away() {
        let parent = tempfile::tempdir().unwrap();
        let own = format!("{PREFIX}{}", std::process::id());
        // No process has the highest number that fits.
        let dead = format!("{PREFIX}{}", u32::MAX);
        let full = format!("{PREFIX}{}", u32::MAX - 1);
        for name in [&own, &dead, &full, "client-failover-x", "other"] {
            fs::create_dir(parent.path().join(name)).unwrap();
        }
        fs::write(parent.path().join(&full).join("cgroup.procs"), "1").unwrap();
        sweep(parent.path());
        let mut left: Vec<_> = fs::read_dir(parent.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        let mut wanted = vec![own, full, "client-failover-x".to_owned(), "other".to_owned()];
        wanted.sort();
        assert_eq!(left, wanted);
    }

    #[test]
    fn the_own_group_is_found_where_it_is_mounted() {
        let v1 = "25 20 0:22 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n";
        let v2 = "26 20 0:23 / /sys/fs/cgroup rw,relatime shared:9 - cgroup2 cgroup2 rw\n";
        let shifted = "26 20 0:23 /pod /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw\n";
        for (own, mounts, wanted) in [
            ("0::/system.slice/a.service\n", v2, Some("/sys/fs/cgroup/system.slice/a.service")),
            ("4:cpu:/x\n0::/\n", &format!("{v1}{v2}"), Some("/sys/fs/cgroup/")),
            ("0::/pod/a\n", shifted, Some("/sys/fs/cgroup/a")),
            ("0::/other\n", shifted, None),
            ("4:cpu:/x\n", v2, None),
            ("0::/\n", v1, None),
        ] {
            assert_eq!(own_group(own, mounts), wanted.map(PathBuf::from), "{own} {mounts}");
        }
    }
}
