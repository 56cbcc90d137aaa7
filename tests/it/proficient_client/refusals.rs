//! What is refused, in words that name the field.

use serde_json::{Value, json};

use super::{begin, count, refused, signed, signing};

#[test]
fn a_call_says_whose_browser_it_is() {
    let server = signing();
    let call = || server.get("/interactions").header("X-PROFICIENT-API-KEY", &server.project().token);
    let message = refused(call().send(), 400, "invalid_request");
    assert_eq!(message, "x-proficient-user-external-id: is required");
    for wrong in ["", "ä", &"n".repeat(257)] {
        let message =
            refused(call().header("X-PROFICIENT-USER-EXTERNAL-ID", wrong).send(), 400, "invalid_request");
        assert!(message.starts_with("x-proficient-user-external-id: must "), "{message}");
    }
    signed(&server, "GET", "/interactions", &"n".repeat(256)).send().expect(404);
    assert_eq!(count(&server, "users"), 0);
}

#[test]
fn a_key_comes_in_its_own_header() {
    let server = signing();
    let call = |key: &str| server.get("/agents").header("X-PROFICIENT-API-KEY", key).send();
    for wrong in ["", "wrong"] {
        refused(call(wrong), 401, "invalid_credentials");
    }
    refused(server.get("/agents").bearer(&server.project().all).send(), 401, "invalid_credentials");
    refused(call(&server.key(None, "ingest,read")), 403, "forbidden");
    call(&server.project().token).expect(200);
}

#[test]
fn a_limit_is_from_1_to_100() {
    let server = signing();
    let interaction = begin(&server, "ann");
    let id = interaction["id"].as_str().expect("an id");
    for list in ["/interactions?".to_owned(), format!("/messages?interaction_id={id}&")] {
        for wrong in ["0", "101", "-1", "99999999999"] {
            let reply = signed(&server, "GET", &format!("{list}limit={wrong}"), "ann").send();
            let message = refused(reply, 400, "invalid_request");
            assert_eq!(message, "limit: must be an integer from 1 to 100");
        }
        for wrong in ["x", "1.5", ""] {
            let reply = signed(&server, "GET", &format!("{list}limit={wrong}"), "ann").send();
            assert_eq!(refused(reply, 400, "invalid_request"), "limit: must be an integer");
        }
        for right in ["1", "100"] {
            signed(&server, "GET", &format!("{list}limit={right}"), "ann").send().expect(200);
        }
        for wrong in ["x", "i_12", "m_00000000000000000000000000000000", "i_00000000000000000000000000000000"]
        {
            let reply = signed(&server, "GET", &format!("{list}starting_after={wrong}"), "ann").send();
            assert!(refused(reply, 400, "invalid_request").starts_with("starting_after: "));
        }
    }
    let message = refused(signed(&server, "GET", "/messages", "ann").send(), 400, "invalid_request");
    assert_eq!(message, "interaction_id: is required");
}

#[test]
fn bodies_name_the_field_that_is_wrong() {
    let server = signing();
    let interaction = begin(&server, "ann");
    let id = &interaction["id"];
    let named = super::path(&interaction);
    let cases: Vec<(&str, Value, &str)> = vec![
        ("/interactions", json!({}), "agent_id: is required"),
        ("/interactions", json!({ "agent_id": true }), "agent_id: must be a string"),
        ("/interactions", json!({ "agent_id": "" }), "agent_id: must not be empty"),
        (
            "/interactions",
            json!({ "agent_id": "a".repeat(257) }),
            "agent_id: must have at most 256 characters",
        ),
        ("/messages", json!({ "content": "x" }), "interaction_id: is required"),
        ("/messages", json!({ "interaction_id": id }), "content: is required"),
        ("/messages", json!({ "interaction_id": id, "content": "" }), "content: must not be empty"),
        (
            "/messages",
            json!({ "interaction_id": id, "content": "x".repeat(32_769) }),
            "content: must have at most 32768 bytes",
        ),
        (
            "/messages",
            json!({ "interaction_id": id, "content": "x", "parent_id": 1 }),
            "parent_id: must be a string",
        ),
        (
            &named,
            json!({ "name": "n".repeat(1_025) }),
            "name: must have at most 1024 characters and no control characters",
        ),
        (
            &named,
            json!({ "name": "a\nb" }),
            "name: must have at most 1024 characters and no control characters",
        ),
        (&named, json!({ "name": 5 }), "name: must be a string"),
        ("/users/u_1", json!({ "first_name": "a\nb" }), "first_name: must not contain control characters"),
    ];
    for (path, body, fault) in cases {
        let reply = signed(&server, "POST", path, "ann").json(body).send();
        assert_eq!(refused(reply, 400, "invalid_request"), fault);
    }
    let longest = json!({ "interaction_id": id, "content": "x".repeat(32_768) });
    signed(&server, "POST", "/messages", "ann").json(longest).send().expect(200);
    signed(&server, "POST", &named, "ann").json(json!({ "name": "n".repeat(1_024) })).send().expect(200);
    assert_eq!((count(&server, "interactions"), count(&server, "messages")), (1, 1));
}

#[test]
fn what_names_nothing_is_not_found() {
    let server = signing();
    let interaction = begin(&server, "ann");
    let hex = interaction["id"].as_str().expect("an id").trim_start_matches("i_").to_owned();
    for wrong in
        ["i_", "x", &hex, &format!("m_{hex}"), &format!("i_{}", hex.to_uppercase()), &format!("i_{hex}0")]
    {
        if *wrong == format!("i_{hex}") {
            continue; // A hex number without letters is its own capital form.
        }
        let path = format!("/interactions/{wrong}");
        refused(signed(&server, "GET", &path, "ann").send(), 404, "resource_not_found");
        refused(signed(&server, "DELETE", &path, "ann").send(), 404, "resource_not_found");
    }
    let body = json!({ "interaction_id": interaction["id"], "content": "x", "parent_id": "m_1" });
    refused(signed(&server, "POST", "/messages", "ann").json(body).send(), 404, "resource_not_found");
}
