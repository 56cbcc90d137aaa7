//! Small charts of numbers per day: drawn by the server, with the same numbers in a table.

use super::show::Count;
use crate::clock::{self, DAY, Millis};

/// Days of a chart.
pub const DAYS: usize = 30;
/// Of the drawing: a bar, with what is left free beside it, and the height.
const STEP: i64 = 10;
const HEIGHT: i64 = 60;

pub struct Chart {
    /// Names it on its page.
    pub id: &'static str,
    pub title: &'static str,
    /// What the numbers leave out, if they do.
    pub note: Option<String>,
    pub total: String,
    pub days: Vec<Day>,
}

pub struct Day {
    pub date: String,
    pub count: String,
    pub x: i64,
    pub y: i64,
    pub height: i64,
}

/// The first millisecond of each day of a chart that ends today, the oldest first.
pub fn days(now: Millis) -> Vec<Millis> {
    let today = now.div_euclid(DAY) * DAY;
    (0..DAYS as i64).rev().map(|back| today - back * DAY).collect()
}

impl Chart {
    /// `counts` are those of [`days`]. Numbers of `most` or more are not counted to their end.
    pub fn new(
        id: &'static str,
        title: &'static str,
        now: Millis,
        counts: &[i64],
        most: Option<i64>,
    ) -> Chart {
        let largest = counts.iter().copied().max().unwrap_or_default().max(1);
        let is_cut = |count: i64| most.is_some_and(|most| count >= most);
        let text = |count: i64, is_cut: bool| format!("{}{}", Count(count), if is_cut { "+" } else { "" });
        let bar = |(n, (day, count)): (usize, (Millis, &i64))| {
            // What there is of is seen, however little.
            let height = (count * HEIGHT / largest).max(i64::from(*count > 0) * 2);
            let x = i64::try_from(n).unwrap_or_default() * STEP;
            Day { date: clock::date(day), count: text(*count, is_cut(*count)), x, y: HEIGHT - height, height }
        };
        Chart {
            id,
            title,
            note: None,
            total: text(counts.iter().sum(), counts.iter().any(|count| is_cut(*count))),
            days: days(now).into_iter().zip(counts).enumerate().map(bar).collect(),
        }
    }
}
