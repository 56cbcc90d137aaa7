//! What is still to be searched for which jobs, in each order of things.

use std::collections::HashMap;
use std::path::PathBuf;

use usher::model::JobId;
use usher::store::Scope;
use usher::store::unsearched::Unsearched;

const ANN: JobId = JobId(1);
const BEN: JobId = JobId(2);

fn pages(unsearched: &Unsearched, jobs: &[JobId]) -> Option<Vec<u32>> {
    match unsearched.scope(jobs) {
        Scope::Written { pages, .. } => Some(pages),
        Scope::Whole => None,
    }
}

#[test]
fn what_was_written_since_a_job_began_is_searched_for_it_though_another_was_proven_meanwhile() {
    let mut unsearched = Unsearched::default();
    unsearched.wrote(vec![1, 2]);
    unsearched.list(&[ANN, BEN]);
    assert_eq!(pages(&unsearched, &[ANN]), Some(vec![1, 2]));
    unsearched.wrote(vec![3]);
    unsearched.list(&[BEN]);
    assert_eq!(pages(&unsearched, &[BEN]), Some(vec![1, 2, 3]));
    unsearched.wrote(vec![3]);
    unsearched.list(&[]);
    unsearched.wrote(vec![4]);
    unsearched.list(&[ANN]);
    assert_eq!(pages(&unsearched, &[ANN]), Some(vec![4]), "nobody needs the others any more");
}

#[test]
fn everything_is_searched_for_jobs_from_before_the_start_and_for_those_that_nobody_listed() {
    let mut unsearched = Unsearched::after_start(vec![ANN]);
    unsearched.wrote(vec![1]);
    unsearched.list(&[ANN, BEN]);
    assert_eq!(pages(&unsearched, &[ANN, BEN]), None);
    assert_eq!(pages(&unsearched, &[BEN]), Some(vec![1]));
    assert_eq!(pages(&unsearched, &[JobId(3)]), None);
}

#[test]
fn a_round_whose_jobs_could_not_be_read_counts_for_those_that_are_read_next() {
    let mut unsearched = Unsearched::default();
    unsearched.wrote(vec![1]);
    unsearched.wrote(vec![2]);
    unsearched.list(&[ANN]);
    assert_eq!(pages(&unsearched, &[ANN]), Some(vec![1, 2]));
}

#[test]
fn a_file_is_searched_again_once_it_has_changed_and_for_each_job_that_was_there() {
    let files = |lengths: &[u64]| {
        let stamp = |(n, length): (usize, &u64)| (PathBuf::from(n.to_string()), (*length, None));
        lengths.iter().enumerate().map(stamp).collect::<HashMap<_, _>>()
    };
    let searched = |unsearched: &Unsearched, job| match unsearched.scope(&[job]) {
        Scope::Written { files, .. } => files.len(),
        Scope::Whole => usize::MAX,
    };
    let mut unsearched = Unsearched::default();
    unsearched.wrote(vec![]);
    unsearched.files(files(&[10, 20]));
    unsearched.list(&[ANN]);
    assert_eq!(searched(&unsearched, ANN), 2);
    unsearched.wrote(vec![]);
    unsearched.files(files(&[10, 21]));
    unsearched.list(&[ANN, BEN]);
    assert_eq!(searched(&unsearched, BEN), 1);
    assert_eq!(searched(&unsearched, ANN), 2);
}
