//! What is still to be searched for which jobs, in each order of things.

use std::collections::HashMap;
use std::path::PathBuf;

use usher::model::JobId;
use usher::store::file_kind::FileKind;
use usher::store::unsearched::Unsearched;
use usher::store::{Scope, Stamp};

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
    let mut unsearched = Unsearched::after_start(vec![ANN], 0);
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

fn files(files: &[(&str, u64, FileKind)]) -> HashMap<PathBuf, Stamp> {
    let stamp = |length, kind| Stamp { length, written_at: None, kind };
    files.iter().map(|(name, length, kind)| (PathBuf::from(name), stamp(*length, *kind))).collect()
}

fn searched(unsearched: &Unsearched, job: JobId) -> Vec<(String, u64)> {
    let Scope::Written { mut files, .. } = unsearched.scope(&[job]) else { panic!("all of it") };
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files.into_iter().map(|(path, _, from)| (path.display().to_string(), from)).collect()
}

#[test]
fn a_file_of_ushers_is_searched_again_once_it_has_changed_and_for_each_job_that_was_there() {
    let mut unsearched = Unsearched::default();
    let mut round = |first, second, jobs: &[JobId]| {
        unsearched.wrote(vec![]);
        unsearched.list(jobs);
        unsearched
            .files(files(&[("a", first, FileKind::Plain), ("b", second, FileKind::Plain)]), 0, |_, _, _| {
                Ok(false)
            })
            .expect("files");
        jobs.iter().map(|job| searched(&unsearched, *job)).collect::<Vec<_>>()
    };
    let (a, b) = (("a".to_owned(), 0), ("b".to_owned(), 0));
    assert_eq!(round(10, 20, &[ANN]), [vec![a.clone(), b.clone()]]);
    assert_eq!(round(10, 21, &[BEN, ANN]), [vec![b.clone()], vec![a, b.clone()]]);
    assert_eq!(round(10, 21, &[BEN]), [vec![b]]);
    assert_eq!(round(10, 21, &[ANN]), [vec![]]);
}

#[test]
fn a_file_that_grows_is_searched_from_where_it_ended_before() {
    let mut unsearched = Unsearched::default();
    let mut round = |length, jobs: &[JobId]| {
        unsearched.wrote(vec![]);
        unsearched.list(jobs);
        unsearched
            .files(files(&[("ledger", length, FileKind::Ledger)]), 0, |_, _, _| Ok(false))
            .expect("files");
        jobs.iter().map(|job| searched(&unsearched, *job)[0].1).collect::<Vec<_>>()
    };
    assert_eq!(round(100, &[ANN]), [0]);
    assert_eq!(round(150, &[ANN, BEN]), [0, 100]);
    assert_eq!(round(180, &[BEN]), [100]);
    assert_eq!(round(170, &[BEN]), [0], "it was cut, and is another");
}

#[test]
fn a_strangers_file_is_searched_for_everybody_though_it_did_not_change() {
    let mut unsearched = Unsearched::default();
    for job in [ANN, BEN] {
        unsearched.wrote(vec![]);
        unsearched.list(&[job]);
        unsearched
            .files(files(&[("notes.txt", 10, FileKind::Foreign)]), 0, |_, _, _| Ok(false))
            .expect("files");
        assert_eq!(searched(&unsearched, job), [("notes.txt".to_owned(), 0)]);
    }
}

#[test]
fn a_receipt_is_handed_over_once_and_searched_only_if_it_is_not_as_usher_writes_it() {
    let mut unsearched = Unsearched::after_start(vec![], 7);
    let mut round = |last, names: &[&str], is_own: bool| {
        let handed: Vec<u64> = unsearched.receipts(last).collect();
        unsearched.wrote(vec![]);
        unsearched.list(&[ANN]);
        let new: Vec<_> = names.iter().map(|name| (*name, 10, FileKind::Receipt)).collect();
        unsearched.files(files(&new), last, |_, _, _| Ok(is_own)).expect("files");
        (handed, searched(&unsearched, ANN))
    };
    assert_eq!(round(7, &[], true), (vec![], vec![]));
    assert_eq!(round(9, &["8", "9"], false), (vec![8, 9], vec![("8".to_owned(), 0), ("9".to_owned(), 0)]));
    assert_eq!(round(10, &["10"], true).0, [10]);
    assert_eq!(round(10, &[], true).1.len(), 2, "for whoever was there, they stay");
}
