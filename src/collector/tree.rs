//! The processes below one: a collector's whole tree.
//!
//! Who is whose child is read from `/proc`, because a kernel need not have a quicker way. A tree changes while it is
//! read, so one look proves nothing: whoever ends a tree looks again until nothing is left.

use std::{collections::HashMap, fs, io, os::fd::OwnedFd};

use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

/// Every process below `root` that has not ended.
pub(super) fn below(root: Pid) -> io::Result<Vec<Pid>> {
    let mut children: HashMap<Pid, Vec<(Pid, bool)>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        // It may have ended since the folder was read.
        if let Some((parent, ended)) = parent_of(pid) {
            children.entry(parent).or_default().push((pid, ended));
        }
    }
    let (mut found, mut parents) = (Vec::new(), vec![root]);
    while let Some(parent) = parents.pop() {
        for (pid, ended) in children.remove(&parent).unwrap_or_default() {
            parents.push(pid);
            if !ended {
                found.push(pid);
            }
        }
    }
    Ok(found)
}

/// Sends a signal to every process below `root`; gives how many there were.
pub(super) fn signal_below(root: Pid, signal: Signal) -> io::Result<usize> {
    let found = below(root)?;
    for pid in &found {
        // It may have ended since, or have rights that we have not; whoever must know looks again.
        kill_process(*pid, signal).ok();
    }
    Ok(found.len())
}

/// A descriptor of `child`, which no other process can get, if that is a child of `parent`: one that has ended and whose
/// number was given anew is not.
pub(super) fn hold_child(parent: Pid, child: Pid) -> Option<OwnedFd> {
    let held = pidfd_open(child, PidfdFlags::empty()).ok()?;
    // It is held now, so the number is its own as long as this finds it.
    parent_of(child).filter(|(found, _)| *found == parent).map(|_| held)
}

fn parent_of(pid: Pid) -> Option<(Pid, bool)> {
    parent(&fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?)
}

/// The parent of a process, and whether the process has ended and only waits to be noticed.
fn parent(stat: &str) -> Option<(Pid, bool)> {
    // The name in brackets may hold anything, brackets too.
    let mut words = stat.rsplit_once(") ")?.1.split(' ');
    let ended = matches!(words.next()?, "Z" | "X" | "x");
    Some((Pid::from_raw(words.next()?.parse().ok()?)?, ended))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use rustix::process::getpid;

    use super::*;

    #[test]
    fn a_name_can_hold_anything() {
        let parent = |stat| parent(stat).map(|(pid, ended)| (pid.as_raw_pid(), ended));
        assert_eq!(parent("7 (cat) S 5 7 7 0"), Some((5, false)));
        assert_eq!(parent("7 (a) Z 1 (b) Z 6 7"), Some((6, true)));
        assert_eq!(parent("7 (init) S 0 7"), None);
        assert_eq!(parent("7 (cat"), None);
    }

    #[test]
    fn only_a_child_of_its_own_is_held() -> io::Result<()> {
        let mut child = Command::new("sleep").arg("60").spawn()?;
        let (pid, init) = (Pid::from_child(&child), Pid::INIT);
        assert!(hold_child(getpid(), pid).is_some());
        assert!(hold_child(init, pid).is_none(), "another's");
        assert!(hold_child(getpid(), getpid()).is_none());
        child.kill()?;
        child.wait()?;
        assert!(hold_child(getpid(), pid).is_none(), "gone");
        Ok(())
    }

    #[test]
    fn a_child_is_found_until_it_has_ended() -> io::Result<()> {
        let mut child = Command::new("sleep").arg("60").spawn()?;
        let pid = Pid::from_child(&child);
        assert!(below(getpid())?.contains(&pid));
        child.kill()?;
        child.wait()?;
        assert!(!below(getpid())?.contains(&pid));
        Ok(())
    }
}
