//! How far one text is from another.

use zeroize::Zeroize;

/// Room to compare in, used again and again. Overwritten at the end.
#[derive(Default)]
pub struct Comparing {
    letters: Vec<char>,
    rows: [Vec<usize>; 3],
}

impl Drop for Comparing {
    fn drop(&mut self) {
        self.letters.zeroize();
    }
}

impl Comparing {
    /// Letters to put in, leave out, replace or swap with their neighbour to make one text of the other,
    /// each place edited once (optimal string alignment). None: more than `most`.
    pub fn distance(&mut self, one: &[char], other: &str, most: usize) -> Option<usize> {
        // A letter has 4 bytes at most.
        if other.len() > 4 * (one.len() + most) || other.len() + most < one.len() {
            return None;
        }
        self.letters.clear();
        self.letters.extend(other.chars());
        let other = &self.letters;
        if one.len().abs_diff(other.len()) > most {
            return None;
        }
        let [before, last, this] = &mut self.rows;
        let width = other.len() + 1;
        before.resize(width, 0);
        this.resize(width, 0);
        last.clear();
        last.extend(0..width);
        for (i, a) in one.iter().enumerate() {
            this[0] = i + 1;
            let mut least = i + 1;
            for (j, b) in other.iter().enumerate() {
                let mut cost = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(this[j] + 1);
                if i > 0 && j > 0 && one[i - 1] == *b && *a == other[j - 1] {
                    cost = cost.min(before[j - 1] + 1);
                }
                this[j + 1] = cost;
                least = least.min(cost);
            }
            // A swap of the next two may still save one.
            if least > most + 1 {
                return None;
            }
            std::mem::swap(before, last);
            std::mem::swap(last, this);
        }
        last.get(other.len()).copied().filter(|cost| *cost <= most)
    }
}
