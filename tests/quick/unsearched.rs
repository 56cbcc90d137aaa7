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
fn writes_since_a_job_began_are_searched_despite_other_proofs() {
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
fn everything_is_searched_for_jobs_from_before_the_start() {
    let mut unsearched = Unsearched::after_start(vec![ANN], 0);
    unsearched.wrote(vec![1]);
    unsearched.list(&[ANN, BEN]);
    assert_eq!(pages(&unsearched, &[ANN, BEN]), None);
    assert_eq!(pages(&unsearched, &[BEN]), Some(vec![1]));
    assert_eq!(pages(&unsearched, &[JobId(3)]), None);
}

#[test]
fn a_failed_round_counts_for_the_jobs_read_next() {
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
fn a_file_of_ushers_is_searched_again_once_changed() {
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
fn an_unchanged_strangers_file_is_searched_for_all() {
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
fn a_receipt_is_searched_only_if_usher_did_not_write_it() {
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
