//! Medians, tails, and ratios with their spread.

use std::time::Duration;

/// Times of one kind.
#[derive(Debug, Clone, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn push(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn extend(&mut self, more: &Self) {
        self.0.extend_from_slice(&more.0);
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> Duration {
        self.quantile(0.5)
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an index below the length")]
    pub fn quantile(&self, share: f64) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        let Some(last) = sorted.len().checked_sub(1) else { return Duration::ZERO };
        sorted[(last as f64 * share).round() as usize]
    }

    /// One line: median, p99, longest, and how many.
    pub fn line(&self) -> String {
        format!(
            "p50 {:.1} ms, p99 {:.1} ms, max {:.1} ms, n = {}",
            millis(self.median()),
            millis(self.quantile(0.99)),
            millis(self.quantile(1.0)),
            self.len()
        )
    }
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}

/// Ratios of medians, round by round: the median of them, and the lowest and highest.
pub fn ratios(rounds: &[(Times, Times)]) -> String {
    let mut ratios: Vec<f64> = rounds
        .iter()
        .filter(|(ours, peer)| ours.len() > 0 && peer.len() > 0)
        .map(|(ours, peer)| ours.median().as_secs_f64() / peer.median().as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    let (Some(least), Some(most)) = (ratios.first(), ratios.last()) else { return "no rounds".to_owned() };
    format!("{:.2} [{least:.2}–{most:.2}], {} rounds", ratios[ratios.len() / 2], ratios.len())
}
