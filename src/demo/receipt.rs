//! The sentences of the demo.

use std::time::Duration;

use serde_json::Value;

use super::{
    Plan,
    sink::{Account, Between, Totals},
    words::Fault,
};
use crate::domain::Mode;

/// What the pair is, before anything happens to it.
pub(super) fn introduction(plan: &Plan) -> [String; 2] {
    [
        format!(
            "A pair in {} mode with a FailoverTimeout of {}: an endpoint, and two adapters A and B, each with a collector",
            plan.mode,
            seconds(plan.timeout.get()),
        ),
        "that hands in a numbered sample every 100 ms. What the Primary lets through arrives at a sink, which counts."
            .to_owned(),
    ]
}

/// What a standby of this mode does.
pub(super) const fn standing_by(mode: Mode) -> &'static str {
    match mode {
        Mode::Hot => "keeps what its collector hands in",
        Mode::Warm => "turns away what its collector hands in",
        Mode::Cold | Mode::None => "has no collector running",
    }
}

/// What was done to `name`, the Primary.
pub(super) fn struck(name: &str, fault: Fault) -> String {
    match fault {
        Fault::Stop => format!("{name} is stopped gently (SIGTERM): it says so to the endpoint, and ends."),
        Fault::Kill => format!("{name} is killed (SIGKILL): it can say nothing. Its collector dies with it."),
        Fault::Freeze => {
            format!(
                "{name} is frozen (SIGSTOP): it does nothing, and is there. Its collector is ended by a guard."
            )
        }
        Fault::Cut => {
            format!("{name} is cut off from the endpoint, not from the sink: nothing they say arrives.")
        }
    }
}

/// How a struck adapter is, in some words.
pub(super) const fn condition(fault: Fault) -> &'static str {
    match fault {
        Fault::Stop => "stopped",
        Fault::Kill => "killed",
        Fault::Freeze => "frozen",
        Fault::Cut => "cut off",
    }
}

/// The receipt: why, and with which gap, from the endpoint's history, oldest row first; and what the sink saw.
pub(super) fn receipt(
    rows: &[Value],
    named: impl Fn(&str) -> String,
    of_sink: Option<String>,
) -> Vec<String> {
    let told = rows.iter().filter_map(|row| {
        let label = match row["Kind"].as_str()? {
            "Promoted" => "why ",
            "HandOver" => "gap ",
            _ => return None,
        };
        Some(format!("  {label}  {}", named(row["Explanation"].as_str()?)))
    });
    told.chain(of_sink.map(|sink| format!("  sink  {sink}"))).collect()
}

/// What the sink saw between the samples of `old` and `new`.
pub(super) fn seen(account: &Account, old: &str, new: &str) -> String {
    let between = match account.between {
        Between::Nothing(span) => {
            format!("the first sample of {new} came {} after the last of {old}", millis(span))
        }
        Between::Both(span) => format!("{old} and {new} sent side by side for {}", millis(span)),
    };
    format!("{between}; {}", counted(account.missing, account.twice))
}

/// The totals, for the line that follows.
pub(super) fn so_far(totals: &Totals) -> String {
    format!(
        "sink {}, {} missing, {} twice",
        samples(totals.samples),
        grouped(totals.missing),
        grouped(totals.twice)
    )
}

/// How one that is cut off does, in the words of its diagnostics.
pub(super) fn of_cut(name: &str, role: &str, why: &str) -> String {
    let does = if role == "Primary" {
        "goes on as Primary without the endpoint, by its policy: both send until it is brought back"
            .to_owned()
    } else {
        format!("is {role}: {why}")
    };
    format!("  {name}     {does}")
}

/// The totals, once an adapter is back.
pub(super) fn altogether(totals: &Totals) -> String {
    format!("  sink  {} so far: {}", samples(totals.samples), counted(totals.missing, totals.twice))
}

/// The last words.
pub(super) fn farewell(totals: &Totals, folder: &str) -> [String; 2] {
    [
        format!(
            "The demo is over: {} arrived, {}.",
            samples(totals.samples),
            counted(totals.missing, totals.twice)
        ),
        format!("No process is left, and {folder} is removed."),
    ]
}

fn counted(missing: usize, twice: usize) -> String {
    let missing = match missing {
        0 => "none is missing".to_owned(),
        1 => "1 is missing".to_owned(),
        more => format!("{} are missing", grouped(more)),
    };
    let twice =
        if twice == 0 { "none came twice".to_owned() } else { format!("{} came twice", grouped(twice)) };
    format!("{missing}, {twice}")
}

fn samples(count: usize) -> String {
    if count == 1 { "1 sample".to_owned() } else { format!("{} samples", grouped(count)) }
}

/// A span in whole milliseconds.
pub(super) fn millis(span: Duration) -> String {
    format!("{} ms", grouped(usize::try_from(span.as_millis()).unwrap_or(usize::MAX)))
}

fn seconds(span: Duration) -> String {
    format!("{} s", span.as_secs_f64())
}

/// A number with a comma before each three digits.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_receipt_has_the_reason_the_gap_and_what_the_sink_saw() {
        let rows = [
            json!({"Kind": "SeatFreed", "Explanation": "no heartbeat from host-1 for 2.0 s (limit 2 s)"}),
            json!({"Kind": "Promoted", "Explanation": "no heartbeat from host-1 for 2.0 s (limit 2 s)"}),
            json!({"Kind": "HandOver", "Explanation": "host-2 took over from host-1"}),
        ];
        let account =
            Account { between: Between::Nothing(Duration::from_micros(2_040_999)), missing: 1, twice: 1_030 };
        let named = |text: &str| text.replace("host-1", "A").replace("host-2", "B");
        assert_eq!(
            receipt(&rows, named, Some(seen(&account, "A", "B"))),
            [
                "  why   no heartbeat from A for 2.0 s (limit 2 s)",
                "  gap   B took over from A",
                "  sink  the first sample of B came 2,040 ms after the last of A; 1 is missing, 1,030 came twice",
            ]
        );
    }

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }
}
