//! What a process and its children used: CPU, memory, bytes written; from /proc.

use std::collections::BTreeSet;

/// What was used so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct Used {
    /// CPU-seconds, user and system.
    pub cpu: f64,
    /// Bytes that were caused to be written to disk.
    pub written: f64,
}

impl Used {
    /// Of a process and all that descend from it.
    #[must_use]
    pub fn by(pid: u32) -> Self {
        let all = family(pid).into_iter();
        all.fold(Self::default(), |sum, pid| Self { cpu: sum.cpu + cpu(pid), written: sum.written + written(pid) })
    }

    /// Of a process without those that descend from it and live.
    #[must_use]
    pub fn alone(pid: u32) -> Self {
        Self { cpu: cpu(pid), written: written(pid) }
    }

    /// Since an earlier reading.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self { cpu: self.cpu - earlier.cpu, written: self.written - earlier.written }
    }
}

/// CPU-seconds of a process itself, and of children that ended; 0 if it is gone.
fn cpu(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The command's name stands in parentheses and may hold spaces; fields 14 to 17 count from before it.
    let rest = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let field = |n: usize| rest.split_whitespace().nth(n).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    // USER_HZ is 100 on Linux.
    (11..15).map(field).sum::<f64>() / 100.0
}

fn written(pid: u32) -> f64 {
    field(&format!("/proc/{pid}/io"), "write_bytes:")
}

/// Resident memory now, and at its peak, in megabytes; of a process and all that descend from it.
#[must_use]
pub fn memory_mb(pid: u32) -> (f64, f64) {
    family(pid).into_iter().fold((0.0, 0.0), |(now, peak), pid| {
        let status = format!("/proc/{pid}/status");
        (now + field(&status, "VmRSS:") / 1_024.0, peak + field(&status, "VmHWM:") / 1_024.0)
    })
}

fn field(file: &str, name: &str) -> f64 {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).unwrap_or(0.0)
}

fn family(pid: u32) -> BTreeSet<u32> {
    let mut all = BTreeSet::from([pid]);
    let mut left = vec![pid];
    while let Some(pid) = left.pop() {
        let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
        for thread in threads {
            let children = std::fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let new = children.split_whitespace().filter_map(|text| text.parse().ok()).filter(|pid| all.insert(*pid));
            left.extend(new.collect::<Vec<_>>());
        }
    }
    all
}
