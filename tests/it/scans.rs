//! Long reads: so many at a time, for so long. One that goes on holds old pages, and so the
//! proof of an erasure, until it is cut off.

use std::sync::mpsc;

use usher::error::{Error, Result};
use usher::people::listings;
use usher::store::{Db, jobs};

use crate::harness::Server;

/// A read that never ends by itself.
fn endless(db: &Db, begun: &mpsc::Sender<()>) -> Result<()> {
    listings::newest(db, None, None, 100, 0)?;
    begun.send(()).expect("somebody waits");
    loop {
        listings::newest(db, None, None, 100, 0)?;
    }
}

#[test]
fn an_endless_read_is_cut_off_for_an_erasure() {
    let server = Server::start();
    server.seed("ann").events(3).insert();
    let (begun, told) = mpsc::channel();
    std::thread::scope(|scope| {
        let store = server.app.store();
        // As many as there may be.
        let scans: Vec<_> = (0..4)
            .map(|_| {
                let begun = begun.clone();
                scope.spawn(move || store.scan(|db| endless(db, &begun)))
            })
            .collect();
        (0..4).for_each(|_| told.recv().expect("a scan"));
        let erase = server.delete("/v1/users/ann?hardDelete=true");
        erase.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
        let report = server.tick();
        assert_eq!((report.completed, report.waiting), (0, 1), "they hold the old pages");
        let list = || {
            let list = server.get("/v1/users");
            list.header("X-APTRINSIC-API-KEY", &server.project().all).send()
        };
        // A fifth is told to come again; what is short is answered.
        server.expect_faults();
        assert_eq!(list().expect(503).header("retry-after"), Some("1"));
        let short = server.get("/v1/users/ann").header("X-APTRINSIC-API-KEY", &server.project().all);
        short.send().expect(404);
        for scan in scans {
            let cut = scan.join().expect("an end").expect_err("it was cut off");
            assert!(matches!(cut, Error::Unavailable("the query took too long")), "{cut}");
        }
        let report = server.tick();
        assert_eq!((report.completed, report.waiting), (1, 0));
        assert_eq!(list().expect(200).json()["users"].as_array().map(Vec::len), Some(0));
    });
    assert_eq!(server.read(|db| jobs::list(db, None, None, 2)).len(), 1);
}
