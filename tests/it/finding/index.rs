//! The names in memory, against a plain list of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use usher::find::{Change, FIELD_MAX, Find, HITS_MAX, Names, Place, Query, Tier, fold};
use usher::model::{ProjectId, UserId};

const ONE: ProjectId = ProjectId(1);
const OTHER: ProjectId = ProjectId(2);

fn ready() -> Find {
    let find = Find::default();
    assert!(find.begin());
    find.finish();
    find
}

fn named(identifier: &str) -> Names {
    let mut names = Names::default();
    names.identifier = Some(identifier.to_owned());
    names
}

fn put(find: &Find, project: ProjectId, id: i64, names: Names) {
    find.apply(vec![Change::Put(project, UserId(id), names)]);
}

fn gone(find: &Find, project: ProjectId, id: i64) {
    find.apply(vec![Change::Gone(project, UserId(id))]);
}

/// All pages of a search.
fn all(find: &Find, projects: &[ProjectId], q: &str, limit: usize) -> Vec<Place> {
    let query = Query::new(q).expect("a query");
    let (mut places, mut after) = (Vec::new(), None);
    loop {
        let page = find.page(projects, &query, after, limit);
        assert!(page.hits.len() <= limit);
        places.extend(page.hits.iter().map(|hit| hit.place()));
        if page.is_last {
            return places;
        }
        after = places.last().copied();
    }
}

fn found(find: &Find, project: ProjectId, q: &str) -> Vec<i64> {
    all(find, &[project], q, 50).into_iter().map(|Place(_, Reverse(id))| id.0).collect()
}

/// The folded names of each user.
#[derive(Default)]
struct Model(BTreeMap<(ProjectId, i64), Vec<String>>);

impl Model {
    fn put(&mut self, project: ProjectId, id: i64, names: &Names) {
        let both = [&names.first_name, &names.last_name];
        let both: Vec<&str> = both.into_iter().flatten().map(String::as_str).collect();
        let single = [&names.identifier, &names.email, &names.claimed_email, &names.display_name];
        let texts = single.into_iter().flatten().map(String::as_str);
        let both = both.join(" ");
        let folded = texts.chain([both.as_str()]).map(|text| {
            let mut folded = fold(text).to_string();
            while folded.len() > FIELD_MAX {
                folded.pop();
            }
            folded
        });
        self.0.insert((project, id), folded.filter(|text| !text.is_empty()).collect());
    }

    fn find(&self, projects: &[ProjectId], q: &str) -> Vec<Place> {
        let q = fold(q);
        let words: Vec<&str> = q.split(' ').collect();
        let of = |fields: &[String]| {
            let tiers: Option<Vec<Tier>> = words.iter().map(|word| best(fields, word)).collect();
            tiers.and_then(|tiers| tiers.into_iter().max())
        };
        let mut places: Vec<Place> = self
            .0
            .iter()
            .filter(|((project, _), _)| projects.contains(project))
            .filter_map(|((_, id), fields)| Some(Place(of(fields)?, Reverse(UserId(*id)))))
            .collect();
        places.sort();
        places
    }
}

fn best(fields: &[String], word: &str) -> Option<Tier> {
    let places = fields.iter().flat_map(|field| {
        let starts = field.char_indices().filter(|(at, _)| field[*at..].starts_with(word));
        starts.map(|(at, _)| match field[..at].chars().next_back() {
            None => Tier::Start,
            Some(before) if before.is_alphanumeric() => Tier::Inside,
            Some(_) => Tier::Word,
        })
    });
    places.min()
}

const PARTS: [&str; 14] =
    ["ann", "Jö", "ß", "smith", "é", "-", " ", "o'", "Ωm", "aa", "a", "ı", "日本", "x."];

fn text(random: &mut fastrand::Rng, most: usize) -> String {
    (0..random.usize(1..=most)).map(|_| *random.choice(&PARTS).expect("a part")).collect()
}

fn names(random: &mut fastrand::Rng, token: &str) -> Names {
    let mut names = named(&format!("{token}{}", text(random, 3)));
    let mut maybe = |most: usize| random.bool().then(|| text(random, most));
    names.email = maybe(3).map(|local| format!("{local}@ex.com"));
    names.claimed_email =
        maybe(1).filter(|_| token.len().is_multiple_of(2)).map(|local| format!("{local}@b.org"));
    names.first_name = maybe(2);
    names.last_name = maybe(2);
    // Some are longer than what is searched.
    let most = if random.u8(..) < 8 { 600 } else { 4 };
    names.display_name = random.bool().then(|| text(random, most));
    names
}

#[test]
fn five_thousand_edits_leave_what_a_plain_list_finds() {
    for seed in [7, 8] {
        edits_against_a_plain_list(&mut fastrand::Rng::with_seed(seed));
    }
}

fn edits_against_a_plain_list(random: &mut fastrand::Rng) {
    let (find, mut model) = (ready(), Model::default());
    let mut tokens: BTreeMap<(ProjectId, i64), String> = BTreeMap::new();
    let mut given_up = HashSet::new();
    for step in 0..2_500_i64 {
        let known = random.usize(..tokens.len().max(1));
        let known = tokens.keys().nth(known).copied().filter(|_| random.u8(..) < 150);
        let (project, id) = known.unwrap_or((if random.bool() { ONE } else { OTHER }, 10 * step));
        given_up.extend(tokens.remove(&(project, id)));
        if known.is_some() && random.u8(..) < 80 {
            gone(&find, project, id);
            model.0.remove(&(project, id));
        } else {
            let token = format!("tok{step}en");
            let names = names(random, &token);
            model.put(project, id, &names);
            put(&find, project, id, names);
            tokens.insert((project, id), token);
        }
        if step % 10 == 0 {
            let projects: &[ProjectId] = random.choice(&[&[ONE][..], &[OTHER], &[ONE, OTHER]]).expect("one");
            let mut q = text(random, 2);
            if random.u8(..) < 60 {
                q = format!("{q} {}", text(random, 1));
            }
            if fold(&q).is_empty() {
                continue;
            }
            let limit = random.usize(1..60);
            assert_eq!(all(&find, projects, &q, limit), model.find(projects, &q), "{q} at step {step}");
        }
    }
    assert!(given_up.len() > 300 && tokens.len() > 300, "{} {}", given_up.len(), tokens.len());
    for token in tokens.values() {
        assert!(find.holds(token.as_bytes()), "the twin: {token} is there");
    }
    for token in &given_up {
        assert!(!find.holds(token.as_bytes()), "{token} was given up");
    }
}

#[test]
fn who_is_not_edited_is_found_beside_all_edits() {
    let find = ready();
    for n in 0..200 {
        put(&find, ONE, n * 50, named(&format!("steady{n}")));
    }
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let searches = scope.spawn(|| {
            let mut searches = 0;
            while !is_over.load(Ordering::SeqCst) || searches == 0 {
                assert_eq!(found(&find, ONE, "steady").len(), 200);
                assert_eq!(found(&find, ONE, "never").len(), 0);
                searches += 1;
            }
            searches
        });
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..5_000 {
            let id = random.i64(0..10_000);
            if id % 50 != 0 {
                if random.bool() {
                    put(&find, ONE, id, named(&"moving ".repeat(random.usize(1..20))));
                } else {
                    gone(&find, ONE, id);
                }
            }
        }
        is_over.store(true, Ordering::SeqCst);
        assert!(searches.join().expect("it ends") > 0);
    });
}

#[test]
fn a_list_goes_on_where_it_ended_whatever_is_written() {
    let find = ready();
    for n in 0..30 {
        put(&find, ONE, n, named(&format!("ann{n}")));
    }
    let query = Query::new("ann").expect("a query");
    let first = find.page(&[ONE], &query, None, 10);
    let place = first.hits.last().expect("a hit").place();
    // Of those who were listed, of those to come, and newcomers.
    gone(&find, ONE, 25);
    gone(&find, ONE, 10);
    put(&find, ONE, 20, named("bob"));
    put(&find, ONE, 21, named(&format!("ann, called {}", "x".repeat(900))));
    put(&find, ONE, 5, named(&format!("ann, called {}", "y".repeat(900))));
    put(&find, ONE, 99, named("ann99"));
    let rest = find.page(&[ONE], &query, Some(place), 50);
    let rest: Vec<i64> = rest.hits.iter().map(|hit| hit.id.0).collect();
    let expected: Vec<i64> = (0..20).rev().filter(|id| *id != 10).collect();
    assert_eq!(rest, expected);
}

#[test]
fn too_many_hits_are_cut_and_said_to_be_in_that_project_alone() {
    let find = Find::default();
    find.begin();
    let many = i64::try_from(HITS_MAX).expect("a number") + 40_000;
    find.load((0..many).map(|id| (ONE, UserId(id), named(&format!("ax{id}")))));
    find.finish();
    put(&find, OTHER, 1, named("x-ray"));
    put(&find, OTHER, 2, named("ax"));
    let query = Query::new("x").expect("a query");
    let page = find.page(&[ONE], &query, None, 10);
    assert!(page.is_truncated);
    assert_eq!(page.hits[0].id, UserId(many - 1));
    let page = find.page(&[OTHER], &query, None, 10);
    assert!(!page.is_truncated && page.is_last);
    assert_eq!(page.hits.iter().map(|hit| hit.id.0).collect::<Vec<_>>(), [1, 2]);
    // However many others there are, who is called so from the start on comes first.
    put(&find, ONE, 3, named("x-first"));
    assert_eq!(find.page(&[ONE], &query, None, 10).hits[0].id, UserId(3));
    assert!(!find.page(&[ONE], &Query::new("ax1").expect("a query"), None, 10).is_truncated);
}

#[test]
fn typing_slips_are_looked_over_and_no_more() {
    let find = ready();
    let mut ann = named("u-1");
    ann.email = Some("annabel.leeson@example.com".into());
    ann.first_name = Some("Annabel".into());
    ann.last_name = Some("Johnson".into());
    put(&find, ONE, 1, ann);
    put(&find, ONE, 2, named("customer-20417"));
    put(&find, OTHER, 3, named("johnsen"));
    let near = |q: &str| -> Vec<i64> {
        let query = Query::new(q).expect("a query");
        find.near(&[ONE], &query, 10).into_iter().map(|id| id.0).collect()
    };
    for slip in [
        "jonson",
        "johnsonn",
        "johnsno",
        "jhonson",
        "Jöhnsen",
        "annabel jonson",
        "annabel.leson@example.com",
        "annabel.leeson@exmaple.com",
        "anabel.lesson@example.com",
        "annabelleeson",
    ] {
        assert_eq!(near(slip), [1], "{slip}");
    }
    for slip in ["custumer-20417", "customer-2047", "cusotmer-20417", "customer20417", "customer-24017"] {
        assert_eq!(near(slip), [2], "{slip}");
    }
    for other in ["jon", "xyz", "jansen", "customer-99999", "zzzz@zzzz.zz", "quite another one"] {
        assert_eq!(near(other), Vec::<i64>::new(), "{other}");
    }
}

/// Each slip of each kind in a name, at each place.
#[test]
fn no_single_slip_is_missed() {
    let find = ready();
    put(&find, ONE, 1, named("abcdefghij"));
    put(&find, ONE, 2, named("pqrst"));
    for (id, name) in [(1, "abcdefghij"), (2, "pqrst")] {
        let letters: Vec<char> = name.chars().collect();
        let mut slips = HashSet::new();
        for at in 0..letters.len() {
            let mut left_out = letters.clone();
            left_out.remove(at);
            let mut replaced = letters.clone();
            replaced[at] = '9';
            let mut put_in = letters.clone();
            put_in.insert(at, '9');
            slips.extend([left_out, replaced, put_in]);
            if at > 0 {
                let mut swapped = letters.clone();
                swapped.swap(at - 1, at);
                slips.insert(swapped);
            }
        }
        for slip in slips {
            let slip: String = slip.into_iter().collect();
            let query = Query::new(&slip).expect("a query");
            assert_eq!(find.near(&[ONE], &query, 10), [UserId(id)], "{slip}");
        }
    }
}

#[test]
fn a_project_that_goes_is_overwritten_as_a_whole() {
    let find = ready();
    put(&find, ONE, 1, named("secret-name"));
    put(&find, OTHER, 2, named("another-name"));
    assert!(find.holds(b"secret-name"));
    find.apply(vec![Change::ProjectGone(ONE)]);
    assert!(!find.holds(b"secret-name") && find.holds(b"another-name"));
    assert_eq!(found(&find, ONE, "name"), Vec::<i64>::new());
}

#[test]
fn what_is_committed_while_everybody_is_read_goes_before() {
    let find = Find::default();
    find.begin();
    find.apply(vec![Change::Put(ONE, UserId(1), named("new-name")), Change::Gone(ONE, UserId(2))]);
    find.load([
        (ONE, UserId(1), named("old-name")),
        (ONE, UserId(2), named("erased")),
        (ONE, UserId(3), named("c")),
    ]);
    find.finish();
    assert_eq!(found(&find, ONE, "name"), [1]);
    assert!(!find.holds(b"old-name") && !find.holds(b"erased"));
}
