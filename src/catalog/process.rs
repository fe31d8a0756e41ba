//! Which process wrote a record, and whether it still lives.
//!
//! A pid alone lies: it is reused, and means nothing on another host or in another container. So the record names host, boot,
//! pid namespace, pid and the process's start time, and "dead" is said only where it can be known.

use std::fs;

use serde::{Deserialize, Serialize};

/// Identity of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Process {
    pub(super) host: String,
    boot: String,
    namespace: String,
    pub(super) pid: u32,
    /// Clock ticks after boot.
    started: u64,
}

/// What is known of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Life {
    /// It runs on this host.
    Alive,
    /// It ran on this host and is gone.
    Dead,
    /// Another host or container: only time tells.
    Unknown,
}

impl Process {
    /// This process.
    pub(super) fn current() -> Self {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let pid = std::process::id();
        Self {
            host: read("/proc/sys/kernel/hostname"),
            boot: read("/proc/sys/kernel/random/boot_id"),
            namespace: fs::read_link("/proc/self/ns/pid").map(|l| l.display().to_string()).unwrap_or_default(),
            pid,
            started: start_of(pid).unwrap_or_default(),
        }
    }

    /// As stored.
    pub(super) fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// From what was stored; none when it is not ours.
    pub(super) fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// Seen from this process `self`: does `other` live?
    pub(super) fn life_of(&self, other: &Self) -> Life {
        if self == other {
            return Life::Alive;
        }
        if self.host.is_empty() || self.host != other.host {
            return Life::Unknown;
        }
        if self.boot != other.boot {
            return Life::Dead; // the host was started again since
        }
        if self.boot.is_empty() || self.namespace != other.namespace {
            return Life::Unknown;
        }
        match start_of(other.pid) {
            Some(started) if started == other.started => Life::Alive,
            _ => Life::Dead,
        }
    }
}

/// When the process with this pid started, from the 22nd field of its `stat`; none when it does not run. A process that was
/// killed but not yet collected by its parent (`Z`) is gone: it writes nothing any more.
fn start_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may itself hold spaces and parentheses.
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace();
    if matches!(fields.next()?, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_lives_and_an_ended_one_is_dead() {
        let me = Process::current();
        assert_eq!(me.life_of(&me), Life::Alive);
        assert_eq!(Process::parse(&me.to_text()), Some(me.clone()));

        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let other = Process { pid: child.id(), started: start_of(child.id()).unwrap(), ..me.clone() };
        assert_eq!(me.life_of(&other), Life::Alive);
        child.kill().unwrap();
        // Not yet waited for: a zombie counts as gone. The kill itself takes effect a moment later.
        for _ in 0..200 {
            if me.life_of(&other) == Life::Dead {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        assert_eq!(me.life_of(&other), Life::Dead);
        child.wait().unwrap();
        assert_eq!(me.life_of(&other), Life::Dead);
    }

    #[test]
    fn a_reused_pid_a_new_boot_and_a_foreign_host_are_told_apart() {
        let me = Process::current();
        assert_eq!(me.life_of(&Process { started: me.started + 1, ..me.clone() }), Life::Dead);
        assert_eq!(me.life_of(&Process { boot: "other".into(), ..me.clone() }), Life::Dead);
        assert_eq!(me.life_of(&Process { host: "elsewhere".into(), ..me.clone() }), Life::Unknown);
        assert_eq!(me.life_of(&Process { namespace: "pid:[1]".into(), ..me.clone() }), Life::Unknown);
    }
}
