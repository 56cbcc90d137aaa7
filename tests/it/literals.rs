//! Words of the vendors' paths that stand where a route has a name. For its method such a
//! word is never an id: `DELETE /v1/users/delete` must not delete the user named "delete".

use serde_json::json;
use usher::api;

use crate::harness::{Server, encode};

/// The vendor has no word in that place, as far as its sources say.
const NONE: &[&str] = &[];

/// Every route that has a name in its path, and the vendor's words in that place for that
/// method. A new route needs a line here: look the vendor's paths up first.
const TABLE: &[(&str, &str, &str, &[&str])] = &[
    ("OpenReplay", "GET", "/api/v1/{projectKey}/users/{userId}", NONE),
    ("OpenReplay", "DELETE", "/api/v1/{projectKey}/users/{userId}", NONE),
    ("OpenReplay", "GET", "/api/v1/{projectKey}/users/{userId}/sessions", NONE),
    ("OpenReplay", "GET", "/api/v1/{projectKey}/sessions/{sessionId}/events", NONE),
    ("OpenReplay", "GET", "/api/v1/{projectKey}/jobs", NONE),
    ("OpenReplay", "GET", "/api/v1/{projectKey}/jobs/{jobId}", NONE),
    ("OpenReplay", "DELETE", "/api/v1/{projectKey}/jobs/{jobId}", NONE),
    ("OpenReplay", "GET", "/api/v1/projects/{projectKey}", NONE),
    ("Gainsight", "DELETE", "/v1/users/{identifyId}", &["/v1/users/delete"]),
    ("Gainsight", "PUT", "/v1/users/{identifyId}", &["/v1/users/update"]),
    ("Gainsight", "GET", "/v1/users/{identifyId}", NONE),
    ("Alloy", "GET", "/users/{userId}", NONE),
    ("Alloy", "PUT", "/users/{userId}", NONE),
    ("Alloy", "DELETE", "/users/{userId}", NONE),
    ("Alloy", "DELETE", "/users/{userId}/logs", NONE),
    ("Alloy", "GET", "/{version}/users", NONE),
    ("Alloy", "POST", "/{version}/users", NONE),
    ("Alloy", "GET", "/{version}/users/", NONE),
    ("Alloy", "POST", "/{version}/users/", NONE),
    ("Alloy", "GET", "/{version}/users/{userId}", NONE),
    ("Alloy", "PUT", "/{version}/users/{userId}", NONE),
    ("Alloy", "DELETE", "/{version}/users/{userId}", NONE),
    ("Alloy", "DELETE", "/{version}/users/{userId}/logs", NONE),
    ("Proficient", "GET", "/users/{user_id}", NONE),
    ("Proficient", "POST", "/users/{user_id}", NONE),
    ("Proficient", "DELETE", "/users/{user_id}", NONE),
    ("Gainsight", "GET", "/v1/events/{kind}", NONE),
    ("Gainsight", "GET", "/v1/users/denylist/{identifyId}", NONE),
    ("Gainsight", "PUT", "/v1/users/denylist/{identifyId}", NONE),
    ("Gainsight", "GET", "/v1/user/preferences/{identifyId}", NONE),
    ("Gainsight", "PUT", "/v1/user/preferences/{identifyId}", NONE),
    ("Gainsight", "GET", "/v2/user/preferences/{identifyId}", NONE),
    ("Gainsight", "PUT", "/v2/user/preferences/{identifyId}", NONE),
    ("OpenReplayV2", "DELETE", "/v2/api/public/{projectKey}/jobs/{jobID}", NONE),
    ("OpenReplayV2", "DELETE", "/v2/api/public/{projectKey}/users/{userID}", NONE),
    ("OpenReplayV2", "GET", "/v2/api/public/projects/{projectKey}", NONE),
    ("OpenReplayV2", "GET", "/v2/api/public/{projectKey}/jobs", NONE),
    ("OpenReplayV2", "GET", "/v2/api/public/{projectKey}/jobs/{jobID}", NONE),
    ("OpenReplayV2", "GET", "/v2/api/public/{projectKey}/users/{userID}", NONE),
    ("OpenReplayV2", "POST", "/v2/api/public/{projectKey}/sessions/{sessionID}/events", NONE),
    ("OpenReplayV2", "POST", "/v2/api/public/{projectKey}/users", NONE),
    ("OpenReplayV2", "POST", "/v2/api/public/{projectKey}/users/{userID}/sessions", NONE),
    ("ProficientClient", "DELETE", "/interactions/{interaction_id}", NONE),
    ("ProficientClient", "GET", "/agents/{agent_id}", NONE),
    ("ProficientClient", "GET", "/interactions/{interaction_id}", NONE),
    ("ProficientClient", "GET", "/messages/{message_id}", NONE),
    ("ProficientClient", "GET", "/users/{user_id}", NONE),
    ("ProficientClient", "POST", "/interactions/{interaction_id}", NONE),
    ("ProficientClient", "POST", "/messages/{message_id}/ask", NONE),
    ("ProficientClient", "POST", "/users/{user_id}", NONE),
    ("Segment", "GET", "/v1/projects/{writeKey}/settings", NONE),
    ("Regulations", "GET", "/regulations/{regulateId}", NONE),
    ("Regulations", "DELETE", "/regulations/{regulateId}", NONE),
    ("Regulations", "POST", "/regulations/sources/{sourceId}", NONE),
    ("Regulations", "GET", "/regulations/sources/{sourceId}", NONE),
    ("Regulations", "POST", "/regulations/cloudsources/{sourceId}", NONE),
    ("Regulations", "DELETE", "/v2/regulations/{regulateId}", NONE),
    ("Native", "PUT", "/api/sessions/{id}/recording", NONE),
    ("Native", "GET", "/api/imports/{id}", NONE),
    ("Native", "GET", "/api/users/{id}/export", NONE),
    ("Native", "GET", "/api/exports/{id}", NONE),
    ("Native", "DELETE", "/api/exports/{id}", NONE),
    ("Native", "GET", "/api/sessions/{id}/recording", NONE),
    ("Native", "GET", "/api/jobs/{jobId}", NONE),
    ("Native", "GET", "/api/receipts/{number}", NONE),
    ("Native", "GET", "/api/projects/{projectKey}", NONE),
    ("Native", "DELETE", "/api/projects/{projectKey}", NONE),
    ("Native", "PATCH", "/api/projects/{projectKey}", NONE),
    ("Native", "DELETE", "/api/suppressions/{id}", NONE),
    ("Native", "GET", "/api/users/{id}/hold", NONE),
    ("Native", "POST", "/api/users/{id}/hold", NONE),
    ("Native", "DELETE", "/api/users/{id}/hold", NONE),
    ("Native", "GET", "/api/users/{id}/restriction", NONE),
    ("Native", "POST", "/api/users/{id}/restriction", NONE),
    ("Native", "DELETE", "/api/users/{id}/restriction", NONE),
];

#[test]
fn every_route_with_a_name_says_which_words_stand_there() {
    let mut routes: Vec<String> = api::routes()
        .iter()
        .filter(|(_, route)| route.path.contains('{'))
        .map(|(face, route)| format!("{face:?} {} {}", route.method, route.path))
        .collect();
    let mut listed: Vec<String> =
        TABLE.iter().map(|(face, method, path, _)| format!("{face} {method} {path}")).collect();
    routes.sort();
    listed.sort();
    assert_eq!(routes, listed);
}

#[test]
fn each_word_of_the_table_is_one_that_its_dialect_knows() {
    let known: Vec<String> =
        api::literals().iter().map(|(face, (method, path))| format!("{face:?} {method} {path}")).collect();
    let mut words = 0;
    for (face, method, _, literals) in TABLE {
        for literal in *literals {
            assert!(known.contains(&format!("{face} {method} {literal}")), "{method} {literal}");
            words += 1;
        }
    }
    assert!(words >= 2, "the table knows PX's two");
}

/// Whether a route of ours has exactly this path.
fn is_served(method: &str, path: &str) -> bool {
    api::routes().iter().any(|(_, route)| route.method.as_str() == method && route.path == path)
}

/// The project's users, with all that is kept of them.
fn users(server: &Server) -> Vec<String> {
    let conn = server.sqlite();
    let mut statement = conn.prepare("SELECT * FROM users ORDER BY id").expect("a statement");
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| {
        let values: Vec<String> = (0..columns)
            .map(|n| row.get_ref(n).map(|value| format!("{value:?}")))
            .collect::<Result<_, _>>()?;
        Ok(values.join("|"))
    });
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

#[test]
fn a_user_named_as_a_vendors_word_is_not_reached_by_it() {
    let server = Server::start();
    for (_, method, pattern, literals) in TABLE {
        for literal in *literals {
            let word = literal.rsplit('/').next().expect("a word");
            server.seed(word).email("held@example.com").insert();
            let before = users(&server);
            let first = word.chars().next().expect("a letter");
            let encoded =
                literal.replace(&format!("/{word}"), &format!("/%{:02x}{}", first as u32, &word[1..]));
            for path in [(*literal).to_owned(), encoded, format!("{literal}?hardDelete=true")] {
                let request =
                    server.request(method, &path).header("X-APTRINSIC-API-KEY", &server.project().all);
                let reply = request.json(json!({ "email": "changed@example.com" })).send();
                match is_served(method, literal) {
                    // Served, it is about whom the body names, which is nobody here.
                    true => assert!((400..500).contains(&reply.status), "{method} {path}: {}", reply.status),
                    false => {
                        assert_eq!(reply.status, 404, "{method} {path}: {}", reply.text);
                        assert_eq!(reply.json()["externalapierror"]["status"], "NOT_FOUND");
                    }
                }
                assert!(!reply.text.contains("held@example.com"), "{}", reply.text);
                assert_eq!(users(&server), before, "{method} {path}");
            }
            // The twin: by the same method another name is an id, and so is the word by others.
            server.seed("ann").insert();
            let before = users(&server);
            let other = pattern.replace("{identifyId}", "ann");
            let twin = server.request(method, &other).header("X-APTRINSIC-API-KEY", &server.project().all);
            assert!(
                [200, 204].contains(&twin.json(json!({ "firstName": "A" })).send().status),
                "{method} {other}"
            );
            assert_ne!(users(&server), before, "{method} {other}");
            let get = server.get(literal).header("X-APTRINSIC-API-KEY", &server.project().all).send();
            assert_eq!(get.expect(200).json()["identifyId"], *word);
            let name = pattern.replace("{identifyId}", &encode(&format!("{word}d")));
            let unknown = server.request(method, &name).header("X-APTRINSIC-API-KEY", &server.project().all);
            assert_eq!(unknown.json(json!({})).send().status, 404, "a longer name is a name: nobody has it");
        }
    }
}
