//! What is still to be searched for which jobs, in each order of things.

use std::collections::HashMap;
use std::path::PathBuf;

use usher::model::JobId;
use usher::store::file_kind::FileKind;
use usher::store::search_scope::SearchScope;
use usher::store::{Scope, Stamp};

const ANN: JobId = JobId(1);
const BEN: JobId = JobId(2);

fn pages(search_scope: &SearchScope, jobs: &[JobId]) -> Option<Vec<u32>> {
    match search_scope.scope(jobs) {
        Scope::Written { pages, .. } => Some(pages),
        Scope::Whole => None,
    }
}

#[test]
fn writes_since_a_job_began_are_searched_despite_other_proofs() {
    let mut search_scope = SearchScope::default();
    search_scope.wrote(vec![1, 2]);
    search_scope.list(&[ANN, BEN]);
    assert_eq!(pages(&search_scope, &[ANN]), Some(vec![1, 2]));
    search_scope.wrote(vec![3]);
    search_scope.list(&[BEN]);
    assert_eq!(pages(&search_scope, &[BEN]), Some(vec![1, 2, 3]));
    search_scope.wrote(vec![3]);
    search_scope.list(&[]);
    search_scope.wrote(vec![4]);
    search_scope.list(&[ANN]);
    assert_eq!(pages(&search_scope, &[ANN]), Some(vec![4]), "nobody needs the others any more");
}

#[test]
fn everything_is_searched_for_jobs_from_before_the_start() {
    let mut search_scope = SearchScope::after_start(vec![ANN], 0);
    search_scope.wrote(vec![1]);
    search_scope.list(&[ANN, BEN]);
    assert_eq!(pages(&search_scope, &[ANN, BEN]), None);
    assert_eq!(pages(&search_scope, &[BEN]), Some(vec![1]));
    assert_eq!(pages(&search_scope, &[JobId(3)]), None);
}

#[test]
fn a_failed_round_counts_for_the_jobs_read_next() {
    let mut search_scope = SearchScope::default();
    search_scope.wrote(vec![1]);
    search_scope.wrote(vec![2]);
    search_scope.list(&[ANN]);
    assert_eq!(pages(&search_scope, &[ANN]), Some(vec![1, 2]));
}

fn files(files: &[(&str, u64, FileKind)]) -> HashMap<PathBuf, Stamp> {
    let stamp = |length, kind| Stamp { length, written_at: None, kind };
    files.iter().map(|(name, length, kind)| (PathBuf::from(name), stamp(*length, *kind))).collect()
}

fn searched(search_scope: &SearchScope, job: JobId) -> Vec<(String, u64)> {
    let Scope::Written { mut files, .. } = search_scope.scope(&[job]) else { panic!("all of it") };
    files.sort_by(|one, other| one.0.cmp(&other.0));
    files.into_iter().map(|(path, _, from)| (path.display().to_string(), from)).collect()
}

#[test]
fn a_file_of_ushers_is_searched_again_once_changed() {
    let mut search_scope = SearchScope::default();
    let mut round = |first, second, jobs: &[JobId]| {
        search_scope.wrote(vec![]);
        search_scope.list(jobs);
        search_scope
            .files(files(&[("a", first, FileKind::Plain), ("b", second, FileKind::Plain)]), 0, |_, _, _| {
                Ok(false)
            })
            .expect("files");
        jobs.iter().map(|job| searched(&search_scope, *job)).collect::<Vec<_>>()
    };
    let (a, b) = (("a".to_owned(), 0), ("b".to_owned(), 0));
    assert_eq!(round(10, 20, &[ANN]), [vec![a.clone(), b.clone()]]);
    assert_eq!(round(10, 21, &[BEN, ANN]), [vec![b.clone()], vec![a, b.clone()]]);
    assert_eq!(round(10, 21, &[BEN]), [vec![b]]);
    assert_eq!(round(10, 21, &[ANN]), [vec![]]);
}

#[test]
fn a_file_that_grows_is_searched_from_where_it_ended_before() {
    let mut search_scope = SearchScope::default();
    let mut round = |length, jobs: &[JobId]| {
        search_scope.wrote(vec![]);
        search_scope.list(jobs);
        search_scope
            .files(files(&[("ledger", length, FileKind::Ledger)]), 0, |_, _, _| Ok(false))
            .expect("files");
        jobs.iter().map(|job| searched(&search_scope, *job)[0].1).collect::<Vec<_>>()
    };
    assert_eq!(round(100, &[ANN]), [0]);
    assert_eq!(round(150, &[ANN, BEN]), [0, 100]);
    assert_eq!(round(180, &[BEN]), [100]);
    assert_eq!(round(170, &[BEN]), [0], "it was cut, and is another");
}

#[test]
fn an_unchanged_strangers_file_is_searched_for_all() {
    let mut search_scope = SearchScope::default();
    for job in [ANN, BEN] {
        search_scope.wrote(vec![]);
        search_scope.list(&[job]);
        search_scope
            .files(files(&[("notes.txt", 10, FileKind::Foreign)]), 0, |_, _, _| Ok(false))
            .expect("files");
        assert_eq!(searched(&search_scope, job), [("notes.txt".to_owned(), 0)]);
    }
}

#[test]
fn a_receipt_is_searched_only_if_usher_did_not_write_it() {
    let mut search_scope = SearchScope::after_start(vec![], 7);
    let mut round = |last, names: &[&str], is_own: bool| {
        let handed: Vec<u64> = search_scope.receipts(last).collect();
        search_scope.wrote(vec![]);
        search_scope.list(&[ANN]);
        let new: Vec<_> = names.iter().map(|name| (*name, 10, FileKind::Receipt)).collect();
        search_scope.files(files(&new), last, |_, _, _| Ok(is_own)).expect("files");
        (handed, searched(&search_scope, ANN))
    };
    assert_eq!(round(7, &[], true), (vec![], vec![]));
    assert_eq!(round(9, &["8", "9"], false), (vec![8, 9], vec![("8".to_owned(), 0), ("9".to_owned(), 0)]));
    assert_eq!(round(10, &["10"], true).0, [10]);
    assert_eq!(round(10, &[], true).1.len(), 2, "for whoever was there, they stay");
}
