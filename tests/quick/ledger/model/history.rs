//! Histories from random numbers, one number a step. Proptest's own choosers would take ten
//! times as long as what they choose.

use proptest::prelude::*;
use usher::clock::{DAY, HOUR};

use super::world::{Erases, Op, Outcome, Step};

/// The longest history, in steps.
const STEPS: usize = 100;

pub fn history() -> impl Strategy<Value = Vec<Step>> {
    let steps = prop::collection::vec(any::<u64>(), 1..STEPS);
    steps.prop_map(|numbers| numbers.into_iter().map(step).collect())
}

/// Bytes 0 and 1 choose the step, 2 how many requests it has, and two each what they are.
fn step(number: u64) -> Step {
    let bytes = number.to_le_bytes();
    let [kind, detail, count, requests @ ..] = bytes;
    let torn = (detail < 64).then_some(usize::from(count % 3));
    match kind % 32 {
        0..20 => {
            let ops = requests.chunks(2).take(1 + usize::from(count % 3));
            Step::Group(
                ops.map(|op| self::op(op[0], op.get(1).copied().unwrap_or(count))).collect(),
                outcome(detail),
            )
        }
        20..24 => Step::Backup,
        24..28 => Step::Restore(count, torn),
        28 => Step::Restart(torn),
        29 => Step::Wait(1 + HOUR * i64::from(detail % 2)),
        30 => Step::Wait(DAY),
        _ => Step::Wait(7 * DAY - i64::from(detail % 4)),
    }
}

fn outcome(byte: u8) -> Outcome {
    match byte % 22 {
        0..12 => Outcome::Answered,
        12 => Outcome::NotAnswered,
        13 => Outcome::CrashBeforeAppend,
        14..19 => Outcome::CrashAfterLines(usize::from(byte / 22 % 6)),
        19 | 20 => Outcome::CommitFails,
        _ => Outcome::CommitFailsThenCrash,
    }
}

fn op(kind: u8, which: u8) -> Op {
    let (low, high) = (which % 16, which / 16);
    match kind % 36 {
        0..5 => Op::Register(which),
        5..8 => Op::Visit,
        8..11 => Op::Act(which),
        11..15 => Op::Hide(which),
        15 | 16 => Op::Revive(which),
        17..20 => Op::Schedule(low, DAY * i64::from(high % 3)),
        20 => Op::Cancel(which),
        21..24 => Op::BeginDue,
        24 => Op::Erase(which, Erases::Everything),
        25 => Op::Erase(which, Erases::Account),
        26 => Op::Erase(which, Erases::Activity),
        27 => Op::Reap,
        28..32 => Op::Merge(low, high),
        32 => Op::Name(low, high),
        33 => Op::Rename(low, high),
        34 => Op::CreateKey,
        _ => Op::RevokeKey(which),
    }
}
